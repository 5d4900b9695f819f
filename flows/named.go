package flows

import (
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
	ECH  bool   // an encrypted ClientHello was offered; GREASE looks the same. TLS and QUIC are then outer names.
}

// Best is the name that says most about who was meant, and the report's word for where it stood: "tls_sni",
// "quic_sni", "http_host", "dns", or "none".
func (n *Names) Best() (host, source string) {
	switch {
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
	// maxTexts bounds the different names that are kept. Past it further names are not: whoever makes up a name for each
	// flow must not fill the memory.
	maxTexts = 1 << 18
	// maxDNSStreams bounds the directions of DNS over TCP that are followed.
	maxDNSStreams = 256
)

// nameBook reads and keeps the names of a Table's flows.
type nameBook struct {
	pool    names.Pool
	sniffed map[uint32]*names.Sniffer // by flow
	order   []uint32                  // of sniffed, oldest first; flows that are done may still be in it
	found   arena[found]              // by flow; as many as the last flow that has any

	texts   []string          // text n has number n+1
	numbers map[string]uint32 // of texts, and of names as they stood on the wire
	alpn    map[string]uint32 // of lists of protocols as they are encoded

	dns     names.Cache
	message names.Message
	streams map[streamID]*names.MessageStream
	asked   bool // dns holds something
}

// found are the numbers of a flow's names, 0 = none.
type found struct {
	tls, quic, http, alpn uint32
	ech                   bool
}

func (f *found) any() bool { return *f != found{} }

type streamID struct {
	flow    uint32
	fromLow bool
}

func newNameBook() nameBook {
	return nameBook{
		sniffed: make(map[uint32]*names.Sniffer), streams: make(map[streamID]*names.MessageStream),
		numbers: make(map[string]uint32), alpn: make(map[string]uint32),
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
	if o.carriesDNS() && b.readDNS(flow, o, payload) {
		return
	}
	if o.Proto == TCP && b.readHello(flow, payload) {
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
		done = s.Datagram(side, o.Time, payload)
	} else {
		if sawSYN {
			s.Start(side, isn+1)
		}
		done = s.Stream(side, o.Time, o.streamStart(), payload)
	}
	if seen := s.Seen(); done || seen.Hello != 0 {
		b.keep(flow, &seen)
		b.drop(flow)
	}
}

// readHello takes a ClientHello that came in one piece; false says that there is more to do.
func (b *nameBook) readHello(flow uint32, payload []byte) bool {
	h, ok := names.WholeHello(payload)
	if !ok || b.sniffed[flow] != nil {
		return false
	}
	f := b.at(flow)
	if f.tls == 0 {
		f.tls = b.numberOfName(h.Name)
	}
	if f.alpn == 0 && len(h.ALPN) > 0 {
		f.alpn = b.numberOfALPN(h.ALPN)
	}
	f.ech = f.ech || h.ECH
	return true
}

// numberOfName is the number of a name that stood on the wire so: most have been seen before.
func (b *nameBook) numberOfName(raw []byte) uint32 {
	if n, known := b.numbers[string(raw)]; known || len(raw) == 0 {
		return n
	}
	n := b.number(names.Clean(raw))
	if n > 0 && len(raw) <= maxRawName {
		b.numbers[string(raw)] = n
	}
	return n
}

// maxRawName is how long a name may be to be remembered as it stood: no longer ones are meant.
const maxRawName = 255

func (b *nameBook) numberOfALPN(list []byte) uint32 {
	if n, known := b.alpn[string(list)]; known {
		return n
	}
	n := b.number(names.Protocols(list))
	if len(b.alpn) < maxSniffed && len(list) <= maxRawName {
		b.alpn[string(list)] = n
	}
	return n
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
		f.alpn = b.number(seen.ALPN)
	}
	f.ech = f.ech || seen.ECH
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
		*at = b.number(n.Host)
	}
}

func (b *nameBook) number(text string) uint32 {
	if text == "" {
		return 0
	}
	if n, known := b.numbers[text]; known || len(b.texts) == maxTexts {
		return n
	}
	b.texts = append(b.texts, text)
	b.numbers[text] = uint32(len(b.texts))
	return uint32(len(b.texts))
}

func (b *nameBook) text(number uint32) string {
	if number == 0 {
		return ""
	}
	return b.texts[number-1]
}

// of are the names of a flow; all says that what DNS had told is wanted even if the flow states a name.
func (b *nameBook) of(flow uint32, f *Flow, all bool) Names {
	var n Names
	if found := b.known(flow); found.any() {
		n = Names{TLS: b.text(found.tls), QUIC: b.text(found.quic), HTTP: b.text(found.http), ALPN: b.text(found.alpn), ECH: found.ech}
	}
	stated := n.TLS != "" || n.QUIC != "" || n.HTTP != ""
	if b.asked && f.Initiator != InitiatorRemote && (all || !stated) {
		if a, ok := b.dns.Name(f.Key.LocalAddr().Addr(), f.Key.RemoteAddr().Addr(), f.First); ok {
			n.DNS = a.Host
		}
	}
	return n
}

// readDNS learns from a DNS message; false says that the payload is none.
func (b *nameBook) readDNS(flow uint32, o *Observation, payload []byte) bool {
	if o.Proto == UDP {
		return names.MessageStart(payload) && b.learn(o, payload)
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
	s.Stream(o.streamStart(), payload, func(message []byte) { b.learn(o, message) })
	return true
}

func (b *nameBook) learn(o *Observation, message []byte) bool {
	if err := b.message.Parse(message); err != nil && len(b.message.Records) == 0 && len(b.message.Questions) == 0 {
		return false
	}
	k := o.key()
	b.dns.Add(k.LocalAddr().Addr(), k.RemoteAddr().Addr(), &b.message, o.Time)
	b.asked = true
	return true
}
