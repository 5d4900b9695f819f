package flows

import (
	"cmp"
	"slices"
	"strings"

	"apptap/flows/names"
)

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
