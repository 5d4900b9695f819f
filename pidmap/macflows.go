package pidmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"apptap/flows"
	"apptap/pidmap/ntstat"
)

// The methods of macOS's sources.
const (
	// MethodNtstat: the kernel told of the very flow, by its statistics control.
	MethodNtstat Method = "ntstat"
	// MethodLibproc: a scan of the descriptors of all processes found the socket.
	MethodLibproc Method = "libproc"
)

const (
	pollContext = 1 << 32 // contexts of polls, above those of subscriptions, which are the providers' numbers
	errnoNoBufs = 55      // ENOBUFS of macOS: the kernel had no room for what it had to tell
	maxDatagram = 64 << 10
	// maxFlowsTold bounds the flows kept of what the kernel tells.
	maxFlowsTold = 1 << 18
)

// macFlows hears from the kernel of every flow: conn is the control com.apple.network.statistics, of which a Read is a
// datagram, or os.ErrDeadlineExceeded where there is none.
type macFlows struct {
	conn    io.ReadWriteCloser
	procs   *macProcs
	told    map[uint64]*toldFlow // by the kernel's number
	keys    map[flows.Key]int    // how many flows of told have it
	buf     []byte
	refused map[ntstat.Provider]error // subscriptions that failed
	polls   uint64                    // begun
	polling bool                      // the answer to the last is not complete
	lossy   bool                      // something was lost since the last poll began
	lost    uint64                    // times that something was
	bound   map[uint16]int            // how many UDP flows without a peer have a local port
	// interfaceName is the name of an interface, nil or "" if it is not known.
	interfaceName func(index uint32) string
	names         map[uint32]string // since the last poll
	ticks         uint64            // of the kernel's clock in a second, 0 = not known
	samples       *ntstatSamples    // what messages look like, for doctor; nil in a capture
}

type toldFlow struct {
	event Event // SocketSeen; its Socket has no key as long as the kernel does not know it
	pid   int32
	poll  uint64 // that told of it last
	seen  int64
	tally
}

// openMacFlows subscribes to all kinds of flows.
func openMacFlows(conn io.ReadWriteCloser, procs *macProcs) (*macFlows, error) {
	f := &macFlows{conn: conn, procs: procs, told: map[uint64]*toldFlow{}, keys: map[flows.Key]int{}, bound: map[uint16]int{},
		buf: make([]byte, maxDatagram), refused: map[ntstat.Provider]error{}}
	for _, p := range ntstat.Providers() {
		if _, err := conn.Write(ntstat.AddAllRequest(uint64(p), p)); err != nil {
			return nil, fmt.Errorf("subscribe to flows of provider %d: %w", p, err)
		}
	}
	return f, nil
}

// knows says whether the kernel has told of a flow with the key.
func (f *macFlows) knows(key flows.Key) bool { return f.keys[key] > 0 }

// poll asks for all flows again: addresses that were not known when they began are by now.
func (f *macFlows) poll() error {
	f.names = nil
	f.polls++
	f.polling, f.lossy = true, false
	return f.request(pollContext + f.polls)
}

func (f *macFlows) request(context uint64) error {
	if _, err := f.conn.Write(ntstat.UpdateRequest(context)); err != nil {
		return fmt.Errorf("ask for flows: %w", err)
	}
	return nil
}

// receive reads datagrams until there is none for now, and appends what they tell. On a busy Mac there is always one, as each flow's end
// is told at once: after a while it comes back all the same. An error that wraps ntstat.ErrLayout says that this kernel is not understood.
func (f *macFlows) receive(dst []Event, now func() int64) ([]Event, error) {
	began := now()
	for range maxFlowsTold {
		if f.heardEnough(now() - began) {
			return dst, nil
		}
		n, err := f.conn.Read(f.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return dst, nil
		} else if err != nil {
			return dst, fmt.Errorf("hear of flows: %w", err)
		}
		f.samples.heardDatagram(n)
		for m, err := range ntstat.Messages(f.buf[:n]) {
			if err == nil {
				dst, err = f.take(dst, m, now())
			}
			if err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

// heardEnough says whether what else there is can wait, after so many nanoseconds of hearing: the rest of an answer can for a poll's time.
func (f *macFlows) heardEnough(hearing int64) bool {
	limit := macWakeInterval
	if f.polling {
		limit = macPollInterval
	}
	return hearing >= int64(limit)
}

func (f *macFlows) take(dst []Event, m ntstat.Message, now int64) ([]Event, error) {
	f.samples.hear(m)
	switch m.Kind {
	case ntstat.Update, ntstat.Descriptor:
		f.samples.add(m)
		flow, err := ntstat.Decode(m)
		if err != nil {
			return dst, err
		}
		return f.update(dst, &flow, now, m.Flags), nil
	case ntstat.Removed:
		if m.Flags&ntstat.ClosedAfterDrop != 0 {
			f.lost++
		}
		return f.remove(dst, m.Ref(), now, true), nil
	case ntstat.Counters:
		counts, err := ntstat.DecodeCounters(m)
		if t := f.told[m.Ref()]; t != nil && err == nil {
			t.count(&ntstat.Flow{Counts: counts, HasCounts: true}, m.Flags&ntstat.Closing != 0)
		}
		return dst, err
	case ntstat.Success:
		return f.answered(dst, m, now)
	case ntstat.Failure:
		return dst, f.failed(m)
	}
	return dst, nil
}

// answered goes on with the poll, or ends it: flows that it did not tell of are gone, unless something was lost.
func (f *macFlows) answered(dst []Event, m ntstat.Message, now int64) ([]Event, error) {
	if m.Context != pollContext+f.polls {
		return dst, nil
	}
	f.samples.heardPart()
	if m.Flags&ntstat.Continuation != 0 {
		return dst, f.request(m.Context)
	}
	f.polling = false
	if f.lossy {
		return dst, nil
	}
	start := len(dst)
	for ref, t := range f.told {
		if t.poll < f.polls {
			dst = f.remove(dst, ref, now, true)
		}
	}
	sortEvents(dst[start:])
	return append(dst, Event{Kind: SocketsCurrent, Time: now, Method: MethodNtstat}), nil
}

// failed notes what the kernel refused. Want of room is made good by the next poll.
func (f *macFlows) failed(m ntstat.Message) error {
	switch {
	case m.Errno() == errnoNoBufs:
		f.lossy = true
		f.lost++
	case m.Context < pollContext:
		f.refused[ntstat.Provider(m.Context)] = fmt.Errorf("error %d", uint32(m.Errno()))
		if len(f.refused) == len(ntstat.Providers()) {
			return fmt.Errorf("subscribe to flows: every kind was refused, the last with error %d", uint32(m.Errno()))
		}
	}
	return nil
}

// update tells of a flow that is new or has changed its key or its process.
func (f *macFlows) update(dst []Event, flow *ntstat.Flow, now int64, flags ntstat.Flags) []Event {
	t := f.told[flow.Ref]
	if t == nil {
		if len(f.told) >= maxFlowsTold {
			f.lossy = true
			return dst
		}
		t = &toldFlow{tally: tally{since: now - f.age(flow), older: f.polls == 0 || f.polls == 1 && f.polling, provider: flow.Provider}}
		f.told[flow.Ref] = t
	}
	t.poll, t.seen = f.polls, now
	t.count(flow, flags&ntstat.Closing != 0)
	pid := flow.PID
	if flow.Effective != 0 {
		pid = flow.Effective
	}
	changed := t.event.Socket.Key != flow.Key || t.pid != pid
	if flow.Key == (flows.Key{}) || !changed {
		return dst
	}
	t.rekey(t.event.Socket.Key, flow.Key)
	f.unkey(t.event.Socket.Key)
	f.key(t, flow.Key)
	t.pid = pid
	t.event = Event{Kind: SocketSeen, Time: now, Method: MethodNtstat, Holders: []Process{f.procs.acting(
		macProcess{flow.PID, flow.UniqueID, flow.Name}, macProcess{pid: flow.Effective, unique: flow.EffectiveID})}, Socket: Socket{
		Key: flow.Key, Cookie: flow.Ref, Listening: flow.Key.Proto == flows.TCP && flow.Key.Remote == flows.Endpoint{},
		DualStack: flow.Key.IPv6 && flow.Key.Remote == flows.Endpoint{} && flow.Key.LocalAddr().Addr().IsUnspecified(),
	}}
	told := t.event
	told.Totals = f.baseline(t)
	return append(dst, told)
}

// age is how long a flow had been there when it was told of, in nanoseconds; 0 = not known. The kernel does not announce a flow that begins:
// the next poll tells of it, or its end.
func (f *macFlows) age(flow *ntstat.Flow) int64 {
	const longest = 1 << 62 / uint64(time.Second)
	if f.ticks == 0 || flow.Age/f.ticks > longest {
		return 0
	}
	return int64(flow.Age/f.ticks*uint64(time.Second) + flow.Age%f.ticks*uint64(time.Second)/f.ticks)
}

// key notes that a flow has a key. Of sockets that are bound to the same port each may get a copy of what arrives.
func (f *macFlows) key(t *toldFlow, key flows.Key) {
	f.keys[key]++
	if !sharesPort(key) {
		return
	}
	if f.bound[key.Local.Port]++; f.bound[key.Local.Port] > 1 {
		for _, other := range f.told {
			other.odd = other.odd || sharesPort(other.event.Socket.Key) && other.event.Socket.Key.Local.Port == key.Local.Port
		}
		t.odd = true
	}
}

// sharesPort says that a key is that of a UDP socket without a peer.
func sharesPort(key flows.Key) bool {
	return key.Proto == flows.UDP && key.Local.Port != 0 && key.Remote == flows.Endpoint{}
}

func (f *macFlows) unkey(key flows.Key) {
	if f.keys[key]--; f.keys[key] <= 0 {
		delete(f.keys, key)
	}
	if !sharesPort(key) {
		return
	}
	if f.bound[key.Local.Port]--; f.bound[key.Local.Port] <= 0 {
		delete(f.bound, key.Local.Port)
	}
}

// remove tells of the end of a flow, and what it counted unless the kernel is not believed any more.
func (f *macFlows) remove(dst []Event, ref uint64, now int64, believed bool) []Event {
	t := f.told[ref]
	if t == nil {
		return dst
	}
	delete(f.told, ref)
	if t.event.Socket.Key == (flows.Key{}) {
		return dst
	}
	f.unkey(t.event.Socket.Key)
	closed := Event{Kind: SocketClosed, Time: now, Method: MethodNtstat, Socket: t.event.Socket, LastSeen: t.seen}
	if believed {
		f.fill(&closed, t, !t.final)
	}
	return append(dst, closed)
}

// sortEvents puts events of one moment in an order that does not depend on a map's.
func sortEvents(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return a.Socket.Key.Compare(b.Socket.Key) })
}
