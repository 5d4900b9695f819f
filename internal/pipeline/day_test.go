package pipeline

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// day is how many connections TestDay opens: the default is two hundred seconds of them, a day are 86,400,000.
var day = flag.Int("day.connections", 200_000, "connections of TestDay, a thousand a second of the records' time")

// dayHost is a host with a thousand connections a second: of each all packets and what kernel events tell of its socket, as an
// owner of a live run is given them. One in ten is from a program that lives for no other.
type dayHost struct {
	*owner
	follower *flows.Follower
	frames   [][]byte // of one connection, whose local port and remote address are put in
}

const dayPerSecond = 1000

func newDayHost() *dayHost {
	c := Config{
		Live: true, Owners: &liveHost{woken: make(chan struct{}, 1)}, AbsentReason: pidmap.ReasonNoSocketSeen, TakeTimes: true,
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live"}, Now: func() time.Time { return time.Unix(1000, 0) },
		ListDestinations: 10,
	}
	h := &dayHost{owner: newOwner(&c, newShared(&c, func() {})), follower: &flows.Follower{}}
	h.learnLocal()
	request, answer := make([]byte, 100), make([]byte, 300)
	h.frames = [][]byte{
		fixtures.TCP(host, peer, "S", 1000, 0, nil), fixtures.TCP(peer, host, "SA", 5, 1001, nil),
		fixtures.TCP(host, peer, "A", 1001, 6, nil), fixtures.TCP(host, peer, "PA", 1001, 6, request),
		fixtures.TCP(peer, host, "PA", 6, 1101, answer), fixtures.TCP(peer, host, "FA", 306, 1101, nil),
		fixtures.TCP(host, peer, "FA", 1101, 307, nil), fixtures.TCP(peer, host, "A", 307, 1102, nil),
	}
	return h
}

// tuple is the 5-tuple of the i-th connection: 28,000 local ports in turn, at 250 remote addresses.
func (h *dayHost) tuple(i int) (local, remote netip.AddrPort) {
	const ports = 28_000
	a := peer.Addr().As4()
	a[3] = byte(1 + i/ports%250)
	return netip.AddrPortFrom(host.Addr(), uint16(32_768+i%ports)), netip.AddrPortFrom(netip.AddrFrom4(a), peer.Port())
}

// second plays the connections of one second of the records' time.
func (h *dayHost) second(n int) {
	b := h.run.batch()
	for i := n * dayPerSecond; i < (n+1)*dayPerSecond; i++ {
		at := packets0(2000) + int64(i)*int64(time.Second/dayPerSecond)
		local, remote := h.tuple(i)
		h.addEvents(eventsOf(i, at, flows.MakeKey(flows.TCP, local, remote)))
		if len(b.packets)+len(h.frames) > batchSize {
			h.addBatch(b)
			b = h.run.batch()
		}
		for k, frame := range h.frames {
			h.put(b, frame, at+int64(k)*100_000, local, remote)
		}
	}
	h.addBatch(b)
	h.addEvents([]pidmap.Event{{Kind: pidmap.SocketsCurrent, Time: h.last}})
}

// Where a frame of Ethernet with IPv4 and no options has what tells connections apart.
const (
	lastOfSource, lastOfDestination = 14 + 15, 14 + 19
	sourcePort, destinationPort     = 14 + 20, 14 + 22
)

// put adds a frame of the connection to b. Checksums are those of another one: nobody reads them.
func (h *dayHost) put(b *batch, frame []byte, at int64, local, remote netip.AddrPort) {
	frame = append([]byte{}, frame...)
	address, port := lastOfDestination, sourcePort
	if [4]byte(frame[14+12:]) != host.Addr().As4() {
		address, port = lastOfSource, destinationPort
	}
	frame[address] = remote.Addr().As4()[3]
	binary.BigEndian.PutUint16(frame[port:], local.Port())
	b.add(&capture.Packet{Time: at, Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}, 0, h.follower, false)
}

// eventsOf is what kernel events tell of the i-th connection.
func eventsOf(i int, at int64, key flows.Key) []pidmap.Event {
	process := pidmap.Process{Key: pidmap.ProcessKey{PID: int32(i%3 + 7), Start: 1}, Name: "chat", Path: "/usr/bin/chat"}
	if i%10 == 0 {
		process = pidmap.Process{Key: pidmap.ProcessKey{PID: int32(1000 + i%30_000), Start: uint64(i)}, PPID: 1, Name: "short",
			Path: fmt.Sprintf("/usr/bin/short%d", i/10%100), Cmdline: []string{"short", "--once"}, Cgroup: "/system.slice/short.service"}
	}
	socket := pidmap.Socket{Key: key, Cookie: uint64(i + 1)}
	user := pidmap.UserKey{PID: process.Key.PID, Start: process.Key.Start * 10_000_000, Exec: 1}
	moved := pidmap.Moved{Tx: 100, Rx: 300}
	used := pidmap.Event{Kind: pidmap.SocketUsed, Method: pidmap.MethodEBPF, Time: at + 350_000, NotBefore: at - 50_000, Socket: socket,
		Process: process, User: user, Moved: moved}
	made, closed := used, used
	made.Kind, made.Method, made.Time, made.User, made.Moved = pidmap.SocketMade, pidmap.MethodEBPFCreator, at-50_000, pidmap.UserKey{}, pidmap.Moved{}
	closed.Kind, closed.Time, closed.LastSeen, closed.Process, closed.User, closed.Moved = pidmap.SocketClosed, at+700_000, at+700_000, pidmap.Process{}, pidmap.UserKey{}, pidmap.Moved{}
	closed.Totals = pidmap.Totals{Known: true, Sent: 100, Received: 300}
	closed.Datagrams = &pidmap.Datagrams{Arrived: 4}
	closed.Datagrams.Interfaces[0] = pidmap.InterfaceBytes{Name: "eth0", Tx: 100, Rx: 300, TxPackets: 4, RxPackets: 4, TxIP: 260, RxIP: 460}
	return []pidmap.Event{made, used, used, closed}
}

// TestDay: a capture of a thousand connections a second holds no more after two minutes than after any number of them, and its heap,
// garbage before a collection included, stays under 200 MiB with the table of flows.
func TestDay(t *testing.T) {
	const warm, each = 120, 30 // seconds; a flow is kept for 65 after its end, and until the next pass
	h := newDayHost()
	early := uint64(0)
	for n := 1; n <= *day/dayPerSecond; n++ {
		h.second(n - 1)
		if n < warm || n%each != 0 {
			continue
		}
		held := h.held()
		if early == 0 {
			early = held
		}
		t.Logf("%d s: %d KiB held of %d flows", n, held>>10, h.table.Len())
		// Some minutes later maps still grow once: what is deleted from them leaves gaps that are not all used again.
		more := early / 10
		if n > 5*60 {
			more = early / 5
		}
		if held > early+more {
			t.Fatalf("%d connections: %d KiB held, %d after the first %d", n*dayPerSecond, held>>10, early>>10, warm*dayPerSecond)
		}
		const (
			garbage = 70             // percent of what is held, as `apptap capture` has it
			record  = 240 + 21 + 184 // bytes of a flow, outside of the heap
		)
		if mib := (held*(100+garbage)/100 + uint64(h.table.Len())*record) >> 20; mib >= 200 {
			t.Fatalf("%d connections: %d MiB, want less than 200", n*dayPerSecond, mib)
		}
	}
	if h.flows() != *day/dayPerSecond*dayPerSecond || h.settled.Flows() < h.flows()-100*dayPerSecond {
		t.Errorf("%d flows, %d of them settled", h.flows(), h.settled.Flows())
	}
	if got := h.buildReport().Audit; got.Exact != h.flows() {
		t.Errorf("audit %+v, want all flows exact", got)
	}
}

// held is what the heap holds, in bytes.
func (h *dayHost) held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(h)
	return m.HeapAlloc
}
