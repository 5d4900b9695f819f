package flows

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"apptap/flows/names"
)

// Names are what a flow is called, by where the name stood; "" where there is none. All of them come from strangers:
// they are bounded and free of control characters (names.Clean), and may lie.
type Names struct {
	TLS  string // server name of a TLS or DTLS ClientHello
	QUIC string // the same of a QUIC Initial
	HTTP string // Host, :authority, or the authority of a request's target
	DNS  string // what the opener had last asked DNS for when it was told the other side's address
	ALPN string // protocols that the ClientHello offered, comma-separated
	// Authorities are the hosts that requests on one connection of HTTP/2 without TLS named, comma-separated, in the order of
	// their first; "" unless there were several.
	Authorities string
	ECH         bool // an encrypted ClientHello was offered; GREASE looks the same
	// Outer says that TLS or QUIC is the name that an ECH configuration, seen in DNS, has for the outside: the name that is meant was
	// encrypted.
	Outer bool

	// Number stands for Best's name among the flows of one Table: it is the same where the name is. 0 = none was given.
	Number uint32
}

// Best is the name that says most about who was meant, and the report's word for where it stood: "tls_sni",
// "quic_sni", "http_host", "dns", "ech_outer", or "none".
func (n *Names) Best() (host, source string) {
	switch {
	case n.Outer && n.DNS != "":
		return n.DNS, "dns"
	case n.Outer:
		return cmp.Or(n.TLS, n.QUIC), "ech_outer"
	case n.TLS != "":
		return n.TLS, "tls_sni"
	case n.QUIC != "":
		return n.QUIC, "quic_sni"
	case n.HTTP != "":
		return n.HTTP, "http_host"
	case n.DNS != "":
		return n.DNS, "dns"
	}
	return "", "none"
}

const (
	// maxSniffed bounds the flows that are read at a time; the oldest gives way.
	maxSniffed = 4096
	// maxDNSStreams bounds the directions of DNS over TCP that are followed.
	maxDNSStreams = 256
	// maxShared bounds the flows whose several hosts are kept, at about a hundred bytes each and 16 KiB at most.
	maxShared = 1 << 12
	// maxPublic bounds the public names of ECH configurations that are kept; they are those of providers, not of sites.
	maxPublic = 1 << 10
)

// nameBook reads and keeps the names of a Table's flows.
type nameBook struct {
	pool    names.Pool
	sniffed map[uint32]*names.Sniffer // by flow
	order   []uint32                  // of sniffed, oldest first; flows that are done may still be in it
	found   arena[found]              // by flow; as many as the last flow that has any
	texts   *names.Texts
	shared  map[uint32]string // by flow: see Names.Authorities

	dns       names.Cache
	message   names.Message
	addresses []names.Address // scratch of learn
	streams   map[streamID]*names.MessageStream
	asked     bool            // dns holds something
	public    map[uint32]bool // numbers of names that ECH configurations have for the outside
	moves     names.Moves
	lookups   lookups
	sink      uint64 // keeps the compiler from dropping touch's loads
}

// found is what is known of a flow's names, by their numbers in texts, 0 = none.
type found struct {
	tls, quic, http, alpn uint32
	told                  uint32 // of the name that the opener had been told for the other side's address when it began
	dns, sinceDNS         micros // of the look-up that told it, if times are taken; sinceDNS is 0 if there was none
	order                 Order
	ech                   bool
}

// stated says that the flow's packets named somebody or something.
func (f *found) stated() bool { return f.tls|f.quic|f.http|f.alpn != 0 || f.ech }

type streamID struct {
	flow    uint32
	fromLow bool
}

func newNameBook() nameBook {
	texts := new(names.Texts)
	return nameBook{
		sniffed: make(map[uint32]*names.Sniffer), streams: make(map[streamID]*names.MessageStream), shared: make(map[uint32]string),
		public: make(map[uint32]bool),
		texts:  texts, dns: names.Cache{Texts: texts}, message: names.Message{Texts: texts},
		lookups: lookups{texts: texts},
	}
}

// at is what has been found of a flow.
func (b *nameBook) at(flow uint32) *found {
	for b.found.length <= flow {
		b.found.add()
	}
	return b.found.at(flow)
}

func (b *nameBook) known(flow uint32) found {
	if flow < b.found.length {
		return *b.found.at(flow)
	}
	return found{}
}

// read takes a payload of a flow. isn is valid if its sender's SYN was seen.
func (b *nameBook) read(flow uint32, o *Observation, payload []byte, sawSYN bool, isn uint32) {
	if (o.carriesDNS() || o.Proto == UDP && names.IsAnswer(payload)) && b.readDNS(flow, o, payload) {
		return
	}
	if o.Proto == UDP && b.readQUIC(flow, payload) {
		return
	}
	s := b.sniffer(flow)
	if s == nil {
		return
	}
	side := names.Side(0)
	if !o.fromLow {
		side = 1
	}
	var done bool
	if o.Proto == UDP {
		defer b.readQUIC(flow, payload) // it may have its name now
		done = s.Datagram(side, o.Time, payload)
	} else {
		if sawSYN {
			s.Start(side, isn+1)
		}
		done = s.Stream(side, o.Time, o.streamStart(), payload)
	}
	if done || !s.ReadsRequests() {
		b.conclude(flow, s, done)
	}
}

// conclude keeps what a sniffer has read, and ends it once it has its name.
func (b *nameBook) conclude(flow uint32, s *names.Sniffer, done bool) {
	if seen := s.Seen(); done || seen.Hello != 0 {
		b.keep(flow, &seen)
		b.drop(flow)
	}
}

// readHello takes a ClientHello that came in one piece: nothing more is wanted of its flow.
func (b *nameBook) readHello(flow uint32, h *hello) {
	b.finish(flow)
	f := b.at(flow)
	f.tls, f.alpn = cmp.Or(f.tls, h.name), cmp.Or(f.alpn, h.alpn)
	f.ech = f.ech || h.ech
}

// streamStart is the sequence number of the first byte of payload.
func (o *Observation) streamStart() uint32 {
	if o.Flags&SYN != 0 {
		return o.Seq + 1
	}
	return o.Seq
}

// sniffer is the flow's, nil if nothing more is wanted of it.
func (b *nameBook) sniffer(flow uint32) *names.Sniffer {
	if s := b.sniffed[flow]; s != nil {
		return s
	}
	if f := b.known(flow); f.tls != 0 || f.quic != 0 {
		return nil
	}
	for len(b.sniffed) >= maxSniffed {
		b.finish(b.order[0])
		b.order = b.order[1:]
	}
	if len(b.order) > 2*maxSniffed {
		b.order = b.stillSniffed()
	}
	s := b.pool.Get()
	b.sniffed[flow] = s
	b.order = append(b.order, flow)
	return s
}

// stillSniffed is order without those that are done.
func (b *nameBook) stillSniffed() []uint32 {
	kept := make([]uint32, 0, len(b.sniffed)+1)
	for _, flow := range b.order {
		if b.sniffed[flow] != nil {
			kept = append(kept, flow)
		}
	}
	return kept
}

// finish keeps what has been read of a flow and reads no more.
func (b *nameBook) finish(flow uint32) {
	if s := b.sniffed[flow]; s != nil {
		seen := s.Seen()
		b.keep(flow, &seen)
		b.drop(flow)
	}
}

func (b *nameBook) drop(flow uint32) {
	b.pool.Put(b.sniffed[flow])
	delete(b.sniffed, flow)
}

// forget drops all that is known of a flow.
func (b *nameBook) forget(flow uint32) {
	delete(b.shared, flow)
	if b.sniffed[flow] != nil {
		b.drop(flow)
	}
	if flow < b.found.length {
		*b.found.at(flow) = found{}
	}
}

// settle keeps what has been read of every flow, as far as it has come.
func (b *nameBook) settle() {
	for flow, s := range b.sniffed {
		seen := s.Seen()
		b.keep(flow, &seen)
	}
}

func (b *nameBook) keep(flow uint32, seen *names.Seen) {
	if seen.Why != names.Named && seen.ALPN == "" && !seen.ECH {
		return
	}
	f := b.at(flow)
	b.place(f, seen.Name)
	for _, n := range seen.Others {
		b.place(f, n)
	}
	if f.alpn == 0 {
		f.alpn = b.texts.Number(seen.ALPN)
	}
	f.ech = f.ech || seen.ECH
	b.share(flow, seen)
}

// share notes the hosts that requests of one connection of HTTP/2 named, if there are several.
func (b *nameBook) share(flow uint32, seen *names.Seen) {
	if seen.Name.Origin != names.HTTP2Authority || len(seen.Others) == 0 {
		return
	}
	if _, known := b.shared[flow]; !known && len(b.shared) >= maxShared {
		return
	}
	hosts := []string{seen.Name.Host}
	for _, n := range seen.Others {
		if !slices.Contains(hosts, n.Host) { // the port may differ
			hosts = append(hosts, n.Host)
		}
	}
	if len(hosts) > 1 {
		b.shared[flow] = strings.Join(hosts, ",")
	}
}

// place notes the first name of its kind.
func (b *nameBook) place(f *found, n names.Name) {
	at := &f.http
	switch n.Origin {
	case names.TLSServerName, names.DTLSServerName:
		at = &f.tls
	case names.QUICServerName:
		at = &f.quic
	}
	if *at == 0 {
		*at = b.texts.Number(n.Host)
	}
}

// of are the names of a flow.
func (b *nameBook) of(flow uint32, f *Flow) Names {
	var n Names
	text := b.texts.Text
	found := b.known(flow)
	if found.stated() {
		n = Names{TLS: text(found.tls), QUIC: text(found.quic), HTTP: text(found.http), ALPN: text(found.alpn), ECH: found.ech}
		n.Number = cmp.Or(found.tls, found.quic, found.http)
		n.Authorities = b.shared[flow]
		n.Outer = found.ech && b.public[cmp.Or(found.tls, found.quic)]
	}
	told := found.told
	switch f.Initiator {
	case InitiatorRemote:
		return n
	case InitiatorUnknown: // when it began it was not known who might have asked
		told = b.told(f.Key.Local.Addr, f.Key.Remote.Addr, f.First)
	}
	if n.Outer {
		n.Number = cmp.Or(told, n.Number)
	}
	n.DNS, n.Number = text(told), cmp.Or(n.Number, told)
	return n
}

// told is the number of the name that a client had been told for an address, 0 = none.
func (b *nameBook) told(client, server [16]byte, at int64) uint32 {
	return b.answer(client, server, at).Host
}

// answer is what a client had been told of an address, zero if nothing.
func (b *nameBook) answer(client, server [16]byte, at int64) names.Answer {
	a, _ := b.dns.Name(netip.AddrFrom16(client), netip.AddrFrom16(server), at)
	return a
}

// readDNS learns from a DNS message; false says that the payload is none.
func (b *nameBook) readDNS(flow uint32, o *Observation, payload []byte) bool {
	if o.Proto == UDP {
		return names.MessageStart(payload) && b.learn(flow, o, payload)
	}
	id := streamID{flow, o.fromLow}
	s := b.streams[id]
	if s == nil {
		if len(b.streams) == maxDNSStreams {
			clear(b.streams) // the messages under way are lost: nobody has that many
		}
		s = &names.MessageStream{}
		b.streams[id] = s
	}
	s.Stream(o.streamStart(), payload, func(message []byte) { b.learn(flow, o, message) })
	return true
}

func (b *nameBook) learn(flow uint32, o *Observation, message []byte) bool {
	if len(message) > 2 && message[2]&0x80 == 0 {
		b.lookups.query(flow, o, message)
		return true
	}
	if err := b.message.Parse(message); err != nil && b.message.Empty() {
		return false
	}
	reply := b.message.Reply(b.addresses)
	b.addresses = reply.Addresses
	b.readReply(flow, o, &reply)
	return true
}

func (b *nameBook) readReply(flow uint32, o *Observation, r *names.Reply) {
	k := o.key()
	asked := b.lookups.answer(flow, o, r)
	b.dns.AddReply(k.RemoteAddr().Addr(), r, asked, o.Time)
	if r.Public > 0 && len(b.public) < maxPublic {
		b.public[r.Public] = true
	}
	b.asked = true
}

// Domain is the registrable domain of a name, false if it has none: an address, a single label, a public suffix.
func Domain(name string) (string, bool) { return names.Domain(name) }

// IsAddress says whether a name is an IP address in text.
func IsAddress(name string) bool { return names.IsAddress(name) }

// Reading is how an internationalised name reads, "" for others and for one whose reading could pass for another name.
func Reading(name string) string { return names.Reading(name) }

// DisplayName is a name for people: as it is on the wire, and if it is an internationalised one behind it how it reads.
func DisplayName(name string) string { return names.Display(name) }

// WireName is a name that a person typed as it is on the wire.
func WireName(typed string) string { return names.Wire(typed) }

// CleanName makes a name from elsewhere fit to be shown, as those of flows are.
func CleanName(name string) string { return names.Clean([]byte(name)) }
