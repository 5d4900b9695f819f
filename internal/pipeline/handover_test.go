package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// stage plays programs that use one UDP 5-tuple, or one of TCP, and writes down what the kernel tells of it and what is captured. A step takes
// 100 microseconds.
type stage struct {
	proto   flows.Protocol
	now     int64
	events  []pidmap.Event
	packets []staged
	lossy   bool // the capture lost packets
	truth   map[string]had
	isn     uint32
}

type staged struct {
	at    int64
	frame []byte
}

const step = int64(100 * time.Microsecond)

func newStage(proto flows.Protocol) *stage {
	return &stage{proto: proto, now: packets0(2000), truth: map[string]had{}}
}

// actor is a program's socket.
type actor struct {
	on                  *stage
	process             pidmap.Process
	socket              pidmap.Socket
	made                int64
	told                bool
	counted             pidmap.Datagrams
	seq, ack            uint32
	silent, unconnected bool // no event is told of it, it has no peer of its own
	at                  netip.AddrPort
}

func (s *stage) actor(name string, cookie uint64) *actor {
	s.now += step
	key := flows.MakeKey(s.proto, host, peer)
	s.isn += 1_000_000_000
	a := &actor{on: s, made: s.now, socket: pidmap.Socket{Key: key, Cookie: cookie}, process: program(name), seq: s.isn, ack: s.isn + 7, at: peer}
	a.counted.Interfaces[0].Name = "eth0"
	return a
}

func program(name string) pidmap.Process {
	return pidmap.Process{Key: pidmap.ProcessKey{PID: int32(name[0]), Start: 1}, Name: name, Path: "/bin/" + name}
}

func (a *actor) tell(e pidmap.Event) {
	if a.silent {
		return
	}
	e.Method, e.Socket, e.NotBefore, e.Process = pidmap.MethodEBPF, a.socket, a.made, a.process
	e.User = pidmap.UserKey{PID: a.process.Key.PID, Start: 1}
	a.on.events = append(a.on.events, e)
}

// unknown ports of its own: its peers are told of as they come.
func (a *actor) unbound() *actor {
	a.unconnected = true
	return a
}

// sends and gets are n datagrams, or segments, of so many bytes each, of which the first lost are not captured.
func (a *actor) sends(n, bytes, lost int) { a.moves(n, bytes, lost, true) }
func (a *actor) gets(n, bytes, lost int)  { a.moves(n, bytes, lost, false) }

// sendsOnce is all that a program does with its socket: it sends and closes it.
func (a *actor) sendsOnce(n, bytes, lost int) {
	a.sends(n, bytes, lost)
	a.closes(false)
}

func (a *actor) moves(n, bytes, lost int, tx bool) {
	for i := range n {
		a.on.now += step
		a.packet(bytes, i < lost, tx)
		if first := !a.told; first && a.unconnected {
			a.tell(pidmap.Event{Kind: pidmap.SocketPeer, Time: a.on.now - 1000})
		} else if first {
			a.tell(pidmap.Event{Kind: pidmap.SocketUsed, Time: a.on.now + 5000})
		}
		a.told = true
	}
}

func (a *actor) packet(bytes int, lost, tx bool) {
	from, to, header := host, a.at, uint64(28)
	if !tx {
		from, to = to, from
	}
	var frame []byte
	if a.on.proto == flows.UDP {
		frame = fixtures.UDP(from, to, make([]byte, bytes))
	} else {
		header = 40
		seq, ack := &a.seq, &a.ack
		if !tx {
			seq, ack = ack, seq
		}
		frame = fixtures.TCP(from, to, "PA", *seq, *ack, make([]byte, bytes))
		*seq += uint32(bytes)
	}
	i := &a.counted.Interfaces[0]
	payload := uint64(bytes)
	if tx {
		i.Tx, i.TxPackets, i.TxIP, a.counted.Sent = i.Tx+payload, i.TxPackets+1, i.TxIP+payload+header, a.counted.Sent+payload
	} else {
		i.Rx, i.RxPackets, i.RxIP, a.counted.Received = i.Rx+payload, i.RxPackets+1, i.RxIP+payload+header, a.counted.Received+payload
		a.counted.Arrived, a.counted.Taken = a.counted.Arrived+1, a.counted.Taken+1
	}
	truth := a.on.truth[a.process.Name]
	defer func() { a.on.truth[a.process.Name] = truth }()
	if lost {
		a.on.lossy = true
		truth.Missed += payload
		return
	}
	truth.Captured += payload
	a.on.packets = append(a.on.packets, staged{a.on.now, frame})
}

// late is an answer that comes when the socket is gone: nobody counts it.
func (a *actor) late(bytes int) {
	before := a.counted
	a.on.now += step
	a.packet(bytes, false, false)
	a.counted = before
}

func (a *actor) moved() pidmap.Moved {
	return pidmap.Moved{Tx: a.counted.Sent, Rx: a.counted.Received}
}

// closes ends the socket, as the kernel tells of it if its record was not lost.
func (a *actor) closes(lost bool) {
	a.on.now += step
	a.silent = a.silent || lost
	counted := a.counted
	a.tell(pidmap.Event{Kind: pidmap.SocketUsed, Time: a.on.now, Moved: a.moved()})
	a.tell(pidmap.Event{Kind: pidmap.SocketClosed, Time: a.on.now, LastSeen: a.on.now, Datagrams: &counted})
}

// eventsLost is noticed now.
func (s *stage) eventsLost(since int64) {
	s.now += step
	s.events = append(s.events, pidmap.Event{Kind: pidmap.EventsLost, NotBefore: since, Time: s.now})
}

// report is what an owner makes of packets and events that reach it in an order.
func (s *stage) report(order func(packets []staged, events []pidmap.Event, packet func(staged), event func(pidmap.Event))) *summarize.Summary {
	c := Config{
		Live: true, Owners: &liveHost{woken: make(chan struct{}, 1)}, AbsentReason: pidmap.ReasonNoSocketSeen,
		LocalAddrs: func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		Source:     summarize.Source{Kind: "live"}, Now: func() time.Time { return time.Unix(1000, 0) },
	}
	h := &busyHost{owner: newOwner(&c, newShared(&c, func() {}))}
	h.learnLocal()
	h.lose(0)
	if s.lossy {
		h.lose(1)
	}
	order(s.packets, s.events, func(p staged) {
		b := newBatch()
		b.add(&capture.Packet{Time: p.at, Data: p.frame, Length: len(p.frame), LinkType: capture.LinkTypeEthernet}, flows.Outer, nil, false)
		h.addBatch(b)
	}, func(e pidmap.Event) { h.addEvents([]pidmap.Event{e}) })
	h.addEvents([]pidmap.Event{{Kind: pidmap.SocketsCounted, Time: s.now}})
	h.end = s.now + int64(time.Second)
	return h.buildReport()
}

// orders are those in which packets and events may come.
var orders = map[string]func([]staged, []pidmap.Event, func(staged), func(pidmap.Event)){
	"events first": func(packets []staged, events []pidmap.Event, packet func(staged), event func(pidmap.Event)) {
		for _, e := range events {
			event(e)
		}
		for _, p := range packets {
			packet(p)
		}
	},
	"packets first": func(packets []staged, events []pidmap.Event, packet func(staged), event func(pidmap.Event)) {
		for _, p := range packets {
			packet(p)
		}
		for _, e := range events {
			event(e)
		}
	},
	"mixed": func(packets []staged, events []pidmap.Event, packet func(staged), event func(pidmap.Event)) {
		rng := rand.New(rand.NewPCG(1, 2))
		for len(packets)+len(events) > 0 {
			if len(packets) > 0 && (len(events) == 0 || rng.IntN(2) == 0) {
				packet(packets[0])
				packets = packets[1:]
				continue
			}
			event(events[0])
			events = events[1:]
		}
	},
	"as they were": func(packets []staged, events []pidmap.Event, packet func(staged), event func(pidmap.Event)) {
		for len(packets)+len(events) > 0 {
			if len(packets) > 0 && (len(events) == 0 || packets[0].at < events[0].Time+int64(50*time.Millisecond)) {
				packet(packets[0])
				packets = packets[1:]
				continue
			}
			event(events[0])
			events = events[1:]
		}
	},
}

// had is what an app had in bytes of payload: captured, and missed.
type had struct{ Captured, Missed uint64 }

// TestHandOver plays how a 5-tuple goes from one program to another while the capture loses packets: what was captured belongs to who had it
// then, what was missed to who sent or received it, and what cannot be known to nobody. The order in which packets and events come
// changes nothing.
func TestHandOver(t *testing.T) {
	tests := []struct {
		name  string
		proto flows.Protocol
		play  func(s *stage)
		want  map[string]had // "" is nobody
	}{
		{"nothing lost", flows.UDP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			s.actor("b", 2).sendsOnce(10, 200, 0)
		}, map[string]had{"a": {1000, 0}, "b": {2000, 0}}},
		{"the second one's first lost", flows.UDP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			s.actor("b", 2).sendsOnce(10, 200, 5)
		}, map[string]had{"a": {1000, 0}, "b": {1000, 1000}}},
		{"of both some lost, with answers", flows.UDP, func(s *stage) {
			a := s.actor("a", 1)
			a.sends(10, 100, 3)
			a.gets(10, 50, 1)
			a.closes(false)
			b := s.actor("b", 2)
			b.sends(10, 200, 5)
			b.gets(1, 60, 0)
			b.closes(false)
		}, map[string]had{"a": {700 + 450, 300 + 50}, "b": {1060, 1000}}},
		{"unconnected sockets", flows.UDP, func(s *stage) {
			s.actor("a", 1).unbound().sendsOnce(10, 100, 4)
			s.actor("b", 2).unbound().sendsOnce(10, 200, 5)
		}, map[string]had{"a": {600, 400}, "b": {1000, 1000}}},
		{"there and back", flows.UDP, func(s *stage) {
			for i, name := range []string{"a", "b", "a", "b"} {
				s.actor(name, uint64(i+1)).sendsOnce(10, 100*(i+1), i)
			}
		}, map[string]had{"a": {1000 + 8*300, 2 * 300}, "b": {9*200 + 7*400, 200 + 3*400}}},
		{"the second one open at the end", flows.UDP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			b := s.actor("b", 2)
			b.sends(10, 200, 5)
			s.now += step
			b.tell(pidmap.Event{Kind: pidmap.SocketCounted, Time: s.now, Datagrams: &b.counted})
		}, map[string]had{"a": {1000, 0}, "b": {1000, 1000}}},
		{"the first one has other peers too", flows.UDP, func(s *stage) {
			a := s.actor("a", 1).unbound()
			a.sends(10, 100, 4)
			a.closes(false)
			// The kernel counts 500 bytes to somebody else, which were captured.
			other := netip.MustParseAddrPort("198.51.100.9:53")
			a.counted.Interfaces[0].Tx += 500
			a.counted.Interfaces[0].TxPackets++
			a.counted.Interfaces[0].TxIP += 528
			*s.events[len(s.events)-1].Datagrams = a.counted
			peers := a.socket
			peers.Key = flows.MakeKey(flows.UDP, host, other)
			e := s.events[0]
			e.Socket, e.Time = peers, e.Time+10
			s.events = slices.Insert(s.events, 1, e)
			s.packets = append(s.packets, staged{e.Time + 1000, fixtures.UDP(host, other, make([]byte, 500))})
			slices.SortStableFunc(s.packets, func(p, q staged) int { return cmp.Compare(p.at, q.at) })
			s.actor("b", 2).unbound().sendsOnce(10, 200, 5)
		}, map[string]had{"a": {1100, 400}, "b": {1000, 1000}}},
		{"an answer to the first, late, before the second speaks", flows.UDP, func(s *stage) {
			a, b := s.actor("a", 1), s.actor("b", 2) // waits for the port
			a.sends(10, 100, 1)
			a.closes(false)
			a.late(70)
			b.sends(10, 200, 5)
			b.closes(false)
		}, map[string]had{"a": {900, 100}, "": {70, 0}, "b": {1000, 1000}}},
		{"an answer to the first, late, before the second is there", flows.UDP, func(s *stage) {
			a := s.actor("a", 1)
			a.sendsOnce(10, 100, 1)
			a.late(70)
			s.actor("b", 2).sendsOnce(10, 200, 5)
		}, map[string]had{"a": {900 + 70, 100 - 0}, "b": {1000, 1000}}},
		{"both at a time, nothing lost", flows.UDP, func(s *stage) {
			a, b := s.actor("a", 1).unbound(), s.actor("b", 2).unbound()
			a.sends(10, 100, 0)
			b.sends(10, 200, 0)
			a.sends(10, 100, 0)
			a.closes(false)
			b.closes(false)
		}, map[string]had{"a": {2000, 0}, "b": {2000, 0}}},
		{"both at a time, some lost", flows.UDP, func(s *stage) {
			a, b := s.actor("a", 1).unbound(), s.actor("b", 2).unbound()
			a.sends(10, 100, 0)
			b.sends(10, 200, 5)
			a.sends(10, 100, 0)
			a.closes(false)
			b.closes(false)
		}, map[string]had{"": {3000, 1000}}},
		{"the first one's end not told, and packets lost", flows.UDP, func(s *stage) {
			a := s.actor("a", 1)
			a.sends(10, 100, 0)
			since := s.now
			a.sends(2, 100, 2)
			a.closes(true)
			b := s.actor("b", 2)
			b.silent = true
			b.sends(5, 200, 5)
			b.silent = false
			s.eventsLost(since)
			b.told = false
			b.sends(5, 200, 0)
			b.closes(false)
		}, map[string]had{"a": {1000, 0}, "": {200, 0}, "b": {800, 0}}}, // the second one's first may be the first one's last
		{"nothing told of a third between", flows.UDP, func(s *stage) {
			a := s.actor("a", 1)
			a.sends(10, 100, 0)
			since := s.now
			a.closes(true)
			c := s.actor("c", 3)
			c.silent = true
			c.sends(10, 150, 2)
			c.closes(true)
			b := s.actor("b", 2)
			s.eventsLost(since)
			b.sends(10, 200, 5)
			b.closes(false)
		}, map[string]had{"a": {1000, 0}, "": {8 * 150, 0}, "b": {1000, 0}}},
		{"one socket of two programs, some lost", flows.UDP, func(s *stage) { // nobody knows whose: each has his share, and all in all what he moved
			a := s.actor("a", 1)
			a.sends(10, 100, 0)
			heir := *a
			heir.process, heir.counted = program("h"), pidmap.Datagrams{}
			a.tell(pidmap.Event{Kind: pidmap.SocketUsed, Time: s.now, Moved: a.moved()})
			a.process = heir.process
			heir.sends(10, 200, 5)
			heir.tell(pidmap.Event{Kind: pidmap.SocketUsed, Time: s.now, Moved: heir.moved()})
			both := a.counted
			i, more := &both.Interfaces[0], heir.counted.Interfaces[0]
			i.Tx, i.TxPackets, i.TxIP, both.Sent = i.Tx+more.Tx, i.TxPackets+more.TxPackets, i.TxIP+more.TxIP, both.Sent+heir.counted.Sent
			s.now += step
			heir.tell(pidmap.Event{Kind: pidmap.SocketClosed, Time: s.now, LastSeen: s.now, Datagrams: &both})
		}, map[string]had{"a": {666, 334}, "h": {1334, 666}}},
		{"the second one's first events are read as of its end alone", flows.UDP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			b := s.actor("b", 2)
			b.told = true // nothing until it ends
			b.sends(10, 200, 5)
			b.closes(false)
		}, map[string]had{"a": {1000, 0}, "b": {1000, 1000}}},
		{"a connected socket beside one that is not, some lost", flows.UDP, func(s *stage) {
			a, b := s.actor("a", 1).unbound(), s.actor("b", 2)
			a.sends(10, 100, 0)
			b.sends(10, 200, 5)
			b.closes(false)
			a.sends(10, 100, 0)
			a.closes(false)
		}, map[string]had{"": {3000, 1000}}},
		{"tcp, the second one's SYN lost and nothing else", flows.TCP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			s.actor("b", 2).sendsOnce(10, 200, 0)
		}, map[string]had{"a": {1000, 0}, "b": {2000, 0}}},
		{"tcp, the second one's SYN lost and more", flows.TCP, func(s *stage) {
			s.actor("a", 1).sendsOnce(10, 100, 0)
			s.actor("b", 2).sendsOnce(10, 200, 5)
		}, map[string]had{"": {2000, 0}}},
	}
	for _, tt := range tests {
		s := newStage(tt.proto)
		tt.play(s)
		var first *summarize.Summary
		for _, name := range slices.Sorted(maps.Keys(orders)) {
			t.Run(fmt.Sprintf("%s/%s", tt.name, name), func(t *testing.T) {
				sum := s.report(orders[name])
				if diff := gocmp.Diff(tt.want, hadIn(sum)); diff != "" {
					t.Errorf("captured and missed (-want +got):\n%s", diff)
				}
				for name, m := range missedIn(sum) {
					if frames, payload := m.TxBytes+m.RxBytes, m.Payload(); tt.proto == flows.UDP && (frames < payload || frames > 0 && payload == 0) {
						t.Errorf("app %q missed %d bytes of frames beside %d of payload", name, frames, payload)
					}
				}
				if first == nil {
					first = sum
				}
				if diff := gocmp.Diff(first, sum, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("another report than in the first order:\n%s", diff)
				}
			})
		}
	}
}

// TestHandOverNeverWrong plays programs that have one 5-tuple in turn or at a time, of which packets and events are lost at random: no program is
// told more than it had, and nothing that was captured is left out. Not played: that all events are lost of one of two programs at a time, or of one
// that had a TCP 5-tuple and whose SYN was lost too.
func TestHandOverNeverWrong(t *testing.T) {
	told, all := uint64(0), uint64(0)
	for seed := range uint64(120) {
		rng := rand.New(rand.NewPCG(seed, 3))
		s := newStage(flows.UDP)
		if rng.IntN(5) == 0 {
			s.proto = flows.TCP
		}
		s.play(rng)
		for _, name := range slices.Sorted(maps.Keys(orders)) {
			sum := s.report(orders[name])
			var captured, want uint64
			for app, had := range hadIn(sum) {
				captured += had.Captured
				if app != "" {
					told += had.Captured
				}
				if truth := s.truth[app]; app != "" && (had.Captured > truth.Captured || had.Missed > truth.Missed) {
					t.Errorf("play %d of %v, %s: %s had %+v, was told %+v of %+v", seed, s.proto, name, app, truth, had, s.truth)
				}
			}
			for _, truth := range s.truth {
				want += truth.Captured
			}
			if all += want; captured != want {
				t.Errorf("play %d, %s: %d bytes are somebody's or nobody's, %d were captured", seed, name, captured, want)
			}
		}
	}
	if told < all/3 {
		t.Errorf("of %d bytes only %d have an owner", all, told)
	}
}

// play is some programs' use of the 5-tuple.
func (s *stage) play(rng *rand.Rand) {
	var open *actor
	lossy := rng.IntN(3) > 0
	for i := range 2 + rng.IntN(4) {
		a := s.actor(string(rune('a'+rng.IntN(3))), uint64(i+1))
		if s.proto == flows.UDP && rng.IntN(2) == 0 {
			a = a.unbound()
		}
		since := s.now
		events := len(s.events)
		for range 1 + rng.IntN(4) {
			n, size, lost := 1+rng.IntN(5), 10+rng.IntN(200), 0
			if lossy {
				lost = rng.IntN(n + 1)
			}
			if a.told && rng.IntN(2) == 0 || rng.IntN(4) == 0 {
				a.gets(n, size, lost)
			} else {
				a.sends(n, size, lost)
			}
			if open != nil && rng.IntN(2) == 0 {
				open.sends(1, size, lost)
			}
		}
		switch {
		case open == nil && s.proto == flows.UDP && rng.IntN(4) == 0:
			open = a // stays beside the next ones
			continue
		case rng.IntN(6) == 0 && open == nil && s.proto == flows.UDP: // of two at a time, or without a SYN, nobody could tell
			s.events = s.events[:events+rng.IntN(len(s.events)-events+1)] // the rest was lost
			a.silent = true
			a.closes(true)
			s.eventsLost(since)
		default:
			a.closes(false)
			if rng.IntN(4) == 0 {
				a.late(10 + rng.IntN(90))
			}
		}
	}
	if open != nil {
		open.closes(false)
	}
}

func hadIn(sum *summarize.Summary) map[string]had {
	got, missed := map[string]had{}, missedIn(sum)
	for _, a := range sum.Apps {
		m := missed[a.App.Name]
		got[a.App.Name] = had{a.TxPayload + a.RxPayload, m.Payload()}
	}
	m := missed[""]
	if h := (had{sum.Unattributed.TxPayload + sum.Unattributed.RxPayload, m.Payload()}); h != (had{}) {
		got[""] = h
	}
	return got
}

// missedIn is what each app missed, "" is nobody.
func missedIn(sum *summarize.Summary) map[string]summarize.Missed {
	got := map[string]summarize.Missed{}
	for _, a := range sum.Apps {
		if a.Missed != nil {
			got[a.App.Name] = *a.Missed
		}
	}
	if m := sum.Unattributed.Missed; m != nil {
		got[""] = *m
	}
	return got
}
