package summarize

import (
	"testing"

	"apptap/flows"
	"apptap/pidmap"
)

// model is a TCP connection between a host, whose kernel counts, and a peer. The capture sits at the host: it sees what
// the host sends before the network can lose it, and of what the peer sends only what arrives. It may lose
// packets of its own, or begin late.
type model struct {
	dice
	table    *flows.Table
	now      int64
	captures bool    // the capture has begun
	drop     float64 // chance that the capture loses a packet
	dropped  uint64
	loss     float64 // chance that the network loses one
	local    stack
	remote   stack
	kernel   SocketCounters
	arrived  uint64 // payload that the host's socket was given, what came again included
	closed   bool   // the host's socket is gone
}

// stack is one side: what it sent and, in order or not, received.
type stack struct {
	sent     uint32 // next sequence number
	received uint32 // next expected
	ahead    map[uint32]segment
	gotFIN   bool
}

type segment struct {
	seq, length uint32
	flags       flows.TCPFlags
	again       bool
}

func newModel(seed uint64) *model {
	m := &model{dice: newDice(seed), table: flows.NewTable(), captures: true}
	m.kernel = SocketCounters{Key: webKey, Cookie: 1}
	isn := [2]uint32{m.Uint32(), m.Uint32()} // some wrap around
	m.local = stack{sent: isn[0], received: isn[1], ahead: map[uint32]segment{}}
	m.remote = stack{sent: isn[1], received: isn[0], ahead: map[uint32]segment{}}
	return m
}

// capture shows a packet to the table, unless it is lost.
func (m *model) capture(key flows.Key, s segment) {
	m.now += 1 + m.Int64N(10_000_000)
	switch {
	case !m.captures:
	case m.Float64() < m.drop:
		m.dropped++
	default:
		m.table.Add(&flows.Observation{
			Time: m.now, Src: key.Local, Dst: key.Remote, Proto: flows.TCP, Frame: 54 + s.length, IPBytes: 40 + s.length,
			Payload: s.length, Seq: s.seq, Flags: s.flags,
		})
	}
}

// out sends a segment from the host; it reports whether the peer got it.
func (m *model) out(s segment) bool {
	if s.again {
		m.kernel.BytesRetrans += uint64(s.length)
	}
	m.kernel.BytesSent += uint64(s.length)
	m.capture(webKey, s)
	if m.Float64() < m.loss {
		return false
	}
	m.remote.take(s)
	return true
}

// in sends a segment from the peer; it reports whether the host got it.
func (m *model) in(s segment) bool {
	if m.Float64() < m.loss {
		return false
	}
	m.capture(webKey.Reverse(), s)
	if m.closed {
		if m.kernel.Time == 0 {
			m.kernel.Time = m.now // the socket dies of the first data that nobody will read
		}
		m.capture(webKey, segment{seq: m.local.sent, flags: flows.RST})
		return true
	}
	m.arrived += uint64(s.length)
	before := m.local.received
	m.local.take(s)
	m.kernel.BytesReceived += uint64(m.local.received - before) // its FIN takes a number, and the kernel counts it
	return true
}

// take puts a segment in order, or keeps it until it is.
func (k *stack) take(s segment) {
	if s.flags&flows.SYN != 0 {
		return
	}
	if int32(s.seq-k.received) >= 0 {
		k.ahead[s.seq] = s
	}
	for {
		next, ok := k.ahead[k.received]
		if !ok || k.gotFIN {
			return
		}
		delete(k.ahead, k.received)
		k.received += next.length
		if next.flags&flows.FIN != 0 {
			k.received++
			k.gotFIN = true
		}
	}
}

func (m *model) handshake() {
	m.capture(webKey, segment{seq: m.local.sent, flags: flows.SYN})
	m.capture(webKey.Reverse(), segment{seq: m.remote.sent, flags: flows.SYN | flows.ACK})
	m.local.sent, m.remote.sent = m.local.sent+1, m.remote.sent+1
	m.local.received, m.remote.received = m.remote.sent, m.local.sent
	m.capture(webKey, segment{seq: m.local.sent, flags: flows.ACK})
}

// talk sends some segments both ways, whatever is lost again later, until all of it has arrived.
func (m *model) talk() {
	var lostOut, lostIn []segment
	for range m.IntN(30) {
		s := segment{seq: m.local.sent, length: 1 + m.Uint32N(1448), flags: flows.ACK}
		transmit, lost := m.out, &lostOut
		if m.yes() {
			s.seq = m.remote.sent
			m.remote.sent += s.length
			transmit, lost = m.in, &lostIn
		} else {
			m.local.sent += s.length
		}
		if !transmit(s) || m.IntN(20) == 0 { // or it arrived, and its acknowledgement did not
			s.again = true
			*lost = append(*lost, s)
		}
	}
	repeat(lostOut, m.out)
	repeat(lostIn, m.in)
}

func repeat(lost []segment, transmit func(segment) bool) {
	for _, s := range lost {
		for !transmit(s) {
		}
	}
}

// The ways in which a connection ends.
const (
	endsOpen = iota
	endsFIN
	endsTimeWait // the peer's FIN meets no full socket
	endsLate     // the host closes while the peer still sends
	endsReset    // the peer gives up
	endsAbort    // the host does
	endWays
)

func (m *model) end(way int) {
	fin := func(s *stack, transmit func(segment) bool) {
		repeat([]segment{{seq: s.sent, flags: flows.FIN | flows.ACK}}, transmit)
		s.sent++
	}
	switch way {
	case endsOpen:
		m.kernel.Moment = AtEnd
	case endsFIN:
		fin(&m.remote, m.in)
		fin(&m.local, m.out)
	case endsTimeWait:
		fin(&m.local, m.out)
		m.capture(webKey.Reverse(), segment{seq: m.remote.sent, flags: flows.FIN | flows.ACK})
	case endsLate:
		fin(&m.local, m.out)
		m.closed = true
		for range 1 + m.IntN(3) {
			m.in(segment{seq: m.remote.sent, length: 1448, flags: flows.ACK})
			m.remote.sent += 1448
		}
	}
	switch way {
	case endsReset:
		m.capture(webKey.Reverse(), segment{seq: m.remote.sent, flags: flows.RST | flows.ACK})
	case endsAbort:
		m.capture(webKey, segment{seq: m.local.sent, flags: flows.RST | flows.ACK})
	}
	if way != endsOpen {
		m.kernel.Moment = AtClose
	}
	if m.kernel.Time == 0 {
		m.kernel.Time = m.now
	}
}

// run plays a connection and audits it.
func (m *model) run(way int, late bool) *Summary {
	var readings []SocketCounters
	m.captures = !late
	m.handshake()
	if late {
		m.talk()
		before := m.kernel
		before.Moment, before.Time = AtStart, m.now
		readings = append(readings, before)
		m.captures = true
	}
	m.talk()
	m.end(way)
	if !late && m.yes() { // a kernel event counted its packets, and told of the FIN
		m.kernel.Since, m.kernel.FINKnown = 1, true
		if m.local.gotFIN {
			m.kernel.BytesReceived--
		}
		m.kernel.Packets = &pidmap.Datagrams{}
		m.kernel.Packets.Interfaces[0] = pidmap.InterfaceBytes{Name: "eth0", Tx: m.kernel.BytesSent, Rx: m.arrived}
	}
	local := flows.NewLocal(prefixes("192.0.2.2/32"))
	return Build(Input{
		Flows: m.table.Flows(nil, local), Sockets: append(readings, m.kernel), Live: true,
		Interfaces: []InterfaceInput{{Name: "eth0", DroppedKernel: m.dropped, StatsKnown: true}},
	})
}

func TestModel(t *testing.T) {
	tests := []struct {
		name       string
		loss, drop float64
		late       bool
		may        []string // the classes that may show
	}{
		{name: "clean"},
		{name: "lossy network", loss: 0.1},
		{name: "lossy capture", drop: 0.1, may: []string{CauseCaptureDrop}},
		{name: "both", loss: 0.1, drop: 0.1, may: []string{CauseCaptureDrop}},
		{name: "begun late", late: true},
		{name: "begun late, lossy network", late: true, loss: 0.1},
		{name: "all at once", late: true, loss: 0.1, drop: 0.1, may: []string{CauseCaptureDrop, CauseStartedBefore}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[Verdict]int{}
			for seed := range uint64(1000) {
				m := newModel(seed)
				m.loss, m.drop = tt.loss, tt.drop
				way := m.IntN(endWays)
				s := m.run(way, tt.late)
				for i := range s.Flows {
					use := &s.Flows[i]
					if use.Kernel == nil && use.Flow.First > m.kernel.Time {
						continue // all that was captured came after the socket's end
					}
					if use.Kernel == nil {
						t.Fatalf("seed %d: no counters: %s", seed, use.Unavailable)
					}
					seen[use.Verdict]++
					checkFlowSum(t, seed, use)
					checkModelCauses(t, seed, use, tt.may, way == endsLate)
					if tt.drop > 0 && !tt.late && way != endsLate {
						checkModelMissed(t, seed, m, use)
					}
				}
				if t.Failed() {
					return
				}
			}
			if seen[VerdictExact] == 0 {
				t.Errorf("verdicts = %v, want some exact", seen)
			}
			if tt.drop > 0 && seen[VerdictExplained] == 0 {
				t.Errorf("verdicts = %v, want some explained", seen)
			}
		})
	}
}

// checkModelMissed demands that what was captured and what was missed of a flow come to what was sent and received.
func checkModelMissed(t *testing.T, seed uint64, m *model, use *FlowUse) {
	t.Helper()
	var missed Missed
	if use.Missed != nil {
		missed = *use.Missed
	}
	f, k := &use.Flow, use.Kernel
	if f.TxPayload+missed.TxPayload != m.kernel.BytesSent || f.TxStream+missed.TxStream != k.TxStream || f.RxStream+missed.RxStream != k.RxStream {
		t.Errorf("seed %d: captured %+v and missed %+v, the kernel counted %+v", seed, f.Counts, missed, *k)
	}
	if k.RxPayloadKnown && f.RxPayload+missed.RxPayload != m.arrived {
		t.Errorf("seed %d: captured %d bytes of payload in and missed %d, of %d", seed, f.RxPayload, missed.RxPayload, m.arrived)
	}
}

// checkModelCauses demands that the classes are those of what happened, and that nothing is left over.
func checkModelCauses(t *testing.T, seed uint64, use *FlowUse, may []string, late bool) {
	t.Helper()
	allowed := map[string]bool{CauseArrivedAfterClose: late}
	for _, name := range may {
		allowed[name] = true
	}
	for _, c := range use.Causes {
		if !allowed[c.Name] {
			t.Errorf("seed %d: cause %v, which did not happen", seed, c)
		}
	}
	if use.Kernel.UnexplainedBytes != 0 {
		t.Errorf("seed %d: %d bytes unexplained of %+v against %+v", seed, use.Kernel.UnexplainedBytes, use.Flow, *use.Kernel)
	}
}
