package pipeline

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"apptap/capture"
	"apptap/flows"
)

// reader turns one source's packets into batches of observations.
type reader struct {
	source capture.Source
	base   int // index of the source's first interface in the run
	run    *shared
	names  *flows.Follower // nil = read none
	state  atomic.Pointer[sourceState]
	sent   int // batches since the state was last published
	ahead  buffered
	stops  stopper
	within within
}

// buffered is a source that knows whether its next packet is there without waiting.
type buffered interface{ Buffered() bool }

// stopper is a source that can be told when the run ends, by another goroutine than its reader: it then gives what was captured
// until that, and ends.
type stopper interface{ Stop() }

// sourceState is a copy of what a source says of itself. Only its reader asks the source; the owner
// reads the newest copy.
type sourceState struct{ interfaces []capture.Interface }

// publishEvery is how many batches go by between copies of the state on a busy source.
const publishEvery = 256

func newReader(source capture.Source, base int, run *shared, names *flows.Follower) *reader {
	r := &reader{source: source, base: base, run: run, names: names}
	r.ahead, _ = source.(buffered)
	r.stops, _ = source.(stopper)
	r.publish()
	return r
}

func (r *reader) publish() {
	r.sent = 0
	r.source.Stats() // a live source brings its interface's counts up to date
	r.state.Store(&sourceState{slices.Clone(r.source.Interfaces())})
}

// shared is what the readers of a run have in common.
type shared struct {
	live       bool
	match      func(*capture.Packet) bool
	tunnels    flows.Tunnels
	maxPackets uint64
	once       bool // see Config.Once
	sources    int
	taken      atomic.Uint64
	oversized  atomic.Uint64 // packets of more than mostOnWire
	stopAt     atomic.Int64  // packets captured later are not part of the run; MaxInt64 while it goes on
	reachedMax context.CancelFunc
	batches    chan *batch
	free       chan *batch

	recordMutex sync.Mutex // guards record and recordErr: sources are read concurrently, a file is written in turn
	record      Recorder
	decoded     DecodedRecorder // record, if it is one and Outer decodes; else nil
	session     Session
	recordErr   error
	recordEnded func(error) // nil for nobody
}

func newShared(c *Config, reachedMax context.CancelFunc) *shared {
	s := &shared{
		live: c.Live, match: c.Match, tunnels: c.Tunnels, maxPackets: c.MaxPackets, record: c.Record, session: c.Session, reachedMax: reachedMax,
		batches: make(chan *batch, 64), free: make(chan *batch, 64),
	}
	s.once, s.sources, s.recordEnded = c.Once, len(c.Sources), c.RecordEnded
	if c.Tunnels == flows.Outer {
		s.decoded, _ = c.Record.(DecodedRecorder)
	}
	s.stopAt.Store(math.MaxInt64)
	return s
}

// quietReads is how many reads without a packet, all after the end of the run, say of a source that cannot be stopped that nothing
// captured before it is still on its way: the kernel hands over a block of its ring at most one read timeout after the first packet in it.
const quietReads = 3

// read runs until the source ends, ctx ends and what was captured until then is read, or the run has
// its packets. It returns why the source ended, nil for a regular end.
func (r *reader) read(ctx context.Context) error {
	pending := r.run.batch()
	headers := new(capture.HeaderOwners)
	defer func() {
		r.run.send(pending)
		r.publish()
	}()
	var p capture.Packet
	quiet, drained, traced := 0, 0, false
	for {
		err := r.source.Next(&p)
		if r.run.session != nil {
			pending.learn(r.run.session.Events())
		}
		switch {
		case err == nil:
			quiet, drained = 0, 0
		case errors.Is(err, capture.ErrTimeout):
			r.send(&pending)
			if quiet++; quiet == 1 {
				r.publish()
				r.run.flush()
			}
			if ctx.Err() != nil && r.stops == nil {
				if drained++; drained == quietReads {
					return nil
				}
			}
			continue
		case errors.Is(err, io.EOF), ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
			return nil // the latter: a pipe that was waited for when the run was interrupted
		default:
			return err
		}
		if p.Time > r.run.stopAt.Load() {
			return nil
		}
		taken, last := r.take(&p)
		if taken {
			if len(pending.packets) == 0 {
				traced = r.traced()
			}
			payload := pending.add(&p, r.run.tunnels, r.names, traced)
			r.run.write(&p, &pending.packets[len(pending.packets)-1], payload)
			pending.state(&p, headers)
			if r.arrives(&p) {
				pending.copies = append(pending.copies, len(pending.packets)-1)
			}
		}
		if pending.full() || r.overdue(pending, p.Time) {
			r.send(&pending)
			if ctx.Err() != nil && !r.run.live {
				return nil // interrupted, there is nothing to drain
			}
		}
		if last {
			return nil
		}
	}
}

// traced says that packets may come again on another interface of the run. What others than apptap have captured is counted as
// it is: its interfaces may be hosts apart, and whoever compares finds every packet.
func (r *reader) traced() bool {
	if !r.run.once || r.run.sources == 1 && !several(r.source.Interfaces()) {
		return false
	}
	if r.run.session == nil {
		return r.run.live
	}
	_, from := r.run.session.Local()
	return from != ""
}

// several says that packets come from several interfaces, "any" of Linux being one.
func several(interfaces []capture.Interface) bool {
	return len(interfaces) > 1 || len(interfaces) == 1 && interfaces[0].LinkType == capture.LinkTypeLinuxSLL2
}

// maxDelay is how long a live packet waits for others: the socket of a new flow is looked up when its batch
// arrives, and its program may be gone soon.
const maxDelay = 2_000_000 // nanoseconds

// overdue says that a batch must not wait for more packets. Packets that are there already are no wait: to send a batch
// for every two milliseconds of a block that came in one piece woke the owner five times where once does.
func (r *reader) overdue(b *batch, now int64) bool {
	if !r.run.live || len(b.packets) == 0 {
		return false
	}
	if r.ahead != nil {
		return !r.ahead.Buffered()
	}
	return now-b.packets[0].Time > maxDelay
}

// send hands the batch over and leaves an empty one in its place.
func (r *reader) send(b **batch) {
	if len((*b).packets) > 0 {
		r.sent++
	}
	r.run.send(*b)
	*b = r.run.batch()
	if r.sent == publishEvery {
		r.publish()
	}
}

// take applies the filter and the limit, and numbers the interface.
func (r *reader) take(p *capture.Packet) (taken, last bool) {
	if r.run.match != nil && !r.run.match(p) {
		return false, false
	}
	if r.run.maxPackets > 0 {
		n := r.run.taken.Add(1)
		if n > r.run.maxPackets {
			return false, true
		}
		if last = n == r.run.maxPackets; last {
			r.run.reachedMax()
		}
	}
	if p.Length > mostOnWire {
		r.run.oversized.Add(1)
	}
	p.Interface += r.base
	return true, last
}

// write records a packet that has been decoded to o and payload.
func (s *shared) write(p *capture.Packet, o *flows.Observation, payload []byte) {
	if s.record == nil {
		return
	}
	s.recordMutex.Lock()
	if s.recordErr == nil && s.decoded != nil {
		s.recorded(s.decoded.WriteDecoded(p, o, payload))
	} else if s.recordErr == nil {
		s.recorded(s.record.WritePacket(p))
	}
	s.recordMutex.Unlock()
}

func (s *shared) flush() {
	s.recording(func() error { return s.record.Flush() })
}

// recording does something with the recording, unless there is none or it has failed. For each packet write does the same without a function value.
func (s *shared) recording(do func() error) {
	if s.record == nil {
		return
	}
	s.recordMutex.Lock()
	defer s.recordMutex.Unlock()
	if s.recordErr == nil {
		s.recorded(do())
	}
}

// recorded takes the outcome of the last thing done with the recording, which an error ends.
func (s *shared) recorded(err error) {
	if s.recordErr = err; err != nil && s.recordEnded != nil {
		s.recordEnded(err)
	}
}

// batch is an empty batch, one that came back if there is any.
func (s *shared) batch() *batch {
	select {
	case b := <-s.free:
		b.reset()
		return b
	default:
		return newBatch()
	}
}

func (s *shared) send(b *batch) {
	if !b.empty() {
		s.batches <- b
		return
	}
	s.release(b)
}

func (s *shared) release(b *batch) {
	select {
	case s.free <- b:
	default:
	}
}
