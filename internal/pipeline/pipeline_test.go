package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

var (
	host = netip.MustParseAddrPort("192.0.2.2:40000")
	peer = netip.MustParseAddrPort("198.51.100.7:443")
)

// tapeSource gives the packets it was made of, then its end: io.EOF, another error, or, live, ErrTimeout for ever.
type tapeSource struct {
	packets []capture.Packet
	end     error
	drained func() // called before the first end
	iface   capture.Interface
}

func (s *tapeSource) Next(p *capture.Packet) error {
	if len(s.packets) == 0 {
		if s.drained != nil {
			s.drained()
			s.drained = nil
		}
		return s.end
	}
	*p, s.packets = s.packets[0], s.packets[1:]
	return nil
}

func (s *tapeSource) Interfaces() []capture.Interface { return []capture.Interface{s.iface} }
func (s *tapeSource) Stats() capture.Stats            { return capture.Stats{} }
func (s *tapeSource) Close() error                    { return nil }

// datagrams are n UDP packets of ten flows, a millisecond apart from time at on.
func datagrams(n int, at time.Time) (packets []capture.Packet, bytes uint64) {
	for i := range n {
		src := netip.AddrPortFrom(host.Addr(), host.Port()+uint16(i%10))
		data := fixtures.UDP(src, peer, make([]byte, i%50))
		packets = append(packets, capture.Packet{
			Time: at.Add(time.Duration(i) * time.Millisecond).UnixNano(), Data: data, Length: len(data), LinkType: capture.LinkTypeEthernet,
		})
		bytes += uint64(len(data))
	}
	return packets, bytes
}

func ethernet(name string) capture.Interface {
	return capture.Interface{Name: name, LinkType: capture.LinkTypeEthernet}
}

func TestRunFile(t *testing.T) {
	for _, n := range []int{0, 1, batchSize - 1, batchSize, batchSize + 1, 10*batchSize + 7} {
		packets, bytes := datagrams(n, time.Unix(1000, 0))
		result := Run(t.Context(), Config{
			Sources: []capture.Source{&tapeSource{packets: packets, end: io.EOF, iface: ethernet("en0")}},
			Source:  summarize.Source{Kind: "file", Files: []string{"x"}},
		})
		s := result.Summary
		if got := s.Totals.Bytes(); got != bytes || s.Totals.Packets() != uint64(n) || s.Totals.Flows != min(n, 10) {
			t.Errorf("%d packets: totals %+v, want %d bytes", n, s.Totals, bytes)
		}
		if len(result.Warnings) > 0 || s.Incomplete {
			t.Errorf("%d packets: warnings %v, incomplete %v", n, result.Warnings, s.Incomplete)
		}
		if n > 0 && (s.Window.Start != packets0(1000) || s.Window.End != packets0(1000)+int64(n-1)*1e6) {
			t.Errorf("%d packets: window %+v", n, s.Window)
		}
	}
}

func packets0(seconds int64) int64 { return time.Unix(seconds, 0).UnixNano() }

func TestRunCutFile(t *testing.T) {
	packets, bytes := datagrams(300, time.Unix(1000, 0))
	cut := &capture.FileError{File: "x.pcap", Offset: 99, Detail: "7 bytes are missing", Err: capture.ErrTruncated}
	result := Run(t.Context(), Config{Sources: []capture.Source{&tapeSource{packets: packets, end: cut, iface: ethernet("")}}})
	if len(result.Warnings) != 1 || !errors.Is(result.Warnings[0], capture.ErrTruncated) {
		t.Errorf("warnings %v, want the cut", result.Warnings)
	}
	if s := result.Summary; s.Totals.Bytes() != bytes || !s.Incomplete || !strings.Contains(strings.Join(s.Degraded, " "), "x.pcap") {
		t.Errorf("%d of %d bytes, incomplete %v, degraded %q", s.Totals.Bytes(), bytes, s.Incomplete, s.Degraded)
	}
}

// TestRunLimitEndsWindow: a live run that ends at a packet ends with it, and not when it was noticed: what sockets moved in between is
// under way while the capture ended.
func TestRunLimitEndsWindow(t *testing.T) {
	packets, _ := datagrams(10, time.Unix(1000, 0))
	s := Run(t.Context(), Config{
		Live: true, MaxPackets: 3, Now: func() time.Time { return time.Unix(2000, 0) },
		Sources: []capture.Source{&tapeSource{packets: packets, end: io.EOF, iface: ethernet("eth0")}},
	}).Summary
	if want := packets[2].Time; s.Window.End != want || s.Totals.Packets() != 3 {
		t.Errorf("%d packets until %d, want 3 until %d", s.Totals.Packets(), s.Window.End, want)
	}
}

// TestRunOversized: a length that cannot be counts as it is claimed, as far as it goes, and is said.
func TestRunOversized(t *testing.T) {
	for _, tt := range []struct {
		length int
		bytes  uint64
		said   bool
	}{{65_536, 65_536, false}, {128 << 20, 128 << 20, false}, {128<<20 + 1, 128<<20 + 1, true}, {1<<32 - 1, 1<<31 - 1, true}} {
		packets, _ := datagrams(1, time.Unix(1000, 0))
		packets[0].Length = tt.length
		s := Run(t.Context(), Config{Sources: []capture.Source{&tapeSource{packets: packets, end: io.EOF, iface: ethernet("")}}}).Summary
		said := strings.Contains(strings.Join(s.Degraded, " "), "more than 128 MiB on the wire: 1;")
		if s.Totals.Bytes() != tt.bytes || said != tt.said {
			t.Errorf("%d bytes: counted %d, want %d; said %v, want %v (%q)", tt.length, s.Totals.Bytes(), tt.bytes, said, tt.said, s.Degraded)
		}
	}
}

// TestRunManyCutFiles: each file that is cut is a warning of its own.
func TestRunManyCutFiles(t *testing.T) {
	var sources []capture.Source
	for i := range 3 {
		packets, _ := datagrams(3, time.Unix(1000, 0))
		cut := &capture.FileError{File: fmt.Sprint(i, ".pcap"), Err: capture.ErrTruncated}
		sources = append(sources, &tapeSource{packets: packets, end: cut, iface: ethernet("")})
	}
	result := Run(t.Context(), Config{Sources: []capture.Source{capture.Merge(sources)}})
	if len(result.Warnings) != 3 || len(result.Summary.Degraded) != 3 {
		t.Errorf("warnings %q, degraded %q; want one for each of 3 files", result.Warnings, result.Summary.Degraded)
	}
}

func TestRunMatchAndMaxPackets(t *testing.T) {
	for _, tt := range []struct{ max, sources, want uint64 }{{0, 2, 1000}, {1, 1, 1}, {300, 1, 300}, {300, 3, 300}, {5000, 2, 1000}} {
		var sources []capture.Source
		for i := range tt.sources {
			packets, _ := datagrams(1000, time.Unix(1000, 0))
			sources = append(sources, &tapeSource{packets: packets, end: io.EOF, iface: ethernet(fmt.Sprint("en", i))})
		}
		result := Run(t.Context(), Config{
			Sources: sources, MaxPackets: tt.max, Live: true,
			Match: func(p *capture.Packet) bool { return p.Length%2 == 0 },
		})
		want := tt.want
		if tt.max == 0 || tt.max > 1000 {
			want = 500 * tt.sources
		}
		if got := result.Summary.Totals.Packets(); got != want {
			t.Errorf("-c %d, %d sources: %d packets, want %d", tt.max, tt.sources, got, want)
		}
	}
}

func TestRunRecording(t *testing.T) {
	full := errors.New("no space left on device")
	var mutex sync.Mutex
	written := 0
	var sources []capture.Source
	for i := range 2 {
		packets, _ := datagrams(400, time.Unix(1000, 0))
		sources = append(sources, &tapeSource{packets: packets, end: io.EOF, iface: ethernet(fmt.Sprint("en", i))})
	}
	result := Run(t.Context(), Config{Sources: sources, Record: recorder(func(p *capture.Packet) error {
		if !mutex.TryLock() {
			t.Error("the recorder is called by two sources at once")
			return nil
		}
		defer mutex.Unlock()
		if written == 100 {
			return full
		}
		written++
		return nil
	})})
	if written != 100 || !errors.Is(result.RecordErr, full) || len(result.Warnings) > 0 {
		t.Errorf("%d packets recorded, error %v, warnings %v", written, result.RecordErr, result.Warnings)
	}
	if got := result.Summary.Totals.Packets(); got != 800 || result.Summary.Incomplete {
		t.Errorf("the report has %d packets, incomplete %v; want all 800 although the recording failed", got, result.Summary.Incomplete)
	}
}

// recorder is a Recorder whose packets a test takes.
type recorder func(*capture.Packet) error

func (r recorder) WritePacket(p *capture.Packet) error { return r(p) }
func (r recorder) Flush() error                        { return nil }

// liveHost is a host whose sockets and counters a test decides.
type liveHost struct {
	woken   chan struct{}
	scanned []pidmap.Event
	counts  map[string]summarize.InterfaceCounters
	closed  []summarize.SocketCounters
	ended   chan struct{} // closed when the end of the run is marked
}

func (h *liveHost) Run(ctx context.Context, emit func([]pidmap.Event)) error {
	<-ctx.Done()
	return ctx.Err()
}

func (h *liveHost) Wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
}

func (h *liveHost) Scan(context.Context) ([]pidmap.Event, error) { return h.scanned, nil }

func (h *liveHost) Sockets(moment summarize.Moment) ([]summarize.SocketCounters, error) {
	if moment == summarize.AtEnd {
		close(h.ended)
	}
	return nil, nil
}

func (h *liveHost) RunClosed(ctx context.Context, emit func([]summarize.SocketCounters)) error {
	<-ctx.Done()
	emit(h.closed) // what the kernel had queued when the run ended
	return nil
}

func (h *liveHost) Overflows() uint64 { return 0 }

func (h *liveHost) Interfaces([]string) (map[string]summarize.InterfaceCounters, error) {
	return h.counts, nil
}

// TestRunLive ends a live run the way ^C does: what was captured before the end counts, what came after
// does not, and owners and counters that arrive last are still in the report.
func TestRunLive(t *testing.T) {
	now := time.Unix(2000, 0)
	packets, bytes := datagrams(700, now.Add(-time.Second))
	late, _ := datagrams(5, now.Add(time.Hour))
	ctx, interrupt := context.WithCancel(t.Context())
	source := &tapeSource{packets: packets, end: capture.ErrTimeout, iface: ethernet("eth0")}
	key := flows.MakeKey(flows.UDP, host, peer)
	h := &liveHost{
		woken: make(chan struct{}, 1), ended: make(chan struct{}),
		counts: map[string]summarize.InterfaceCounters{"eth0": {TxPackets: 700, TxBytes: bytes}},
		scanned: []pidmap.Event{{
			Kind: pidmap.SocketSeen, Time: now.UnixNano(), Method: pidmap.MethodSockDiag,
			Socket:  pidmap.Socket{Key: key, Cookie: 1, Inode: 2},
			Holders: []pidmap.Process{{Key: pidmap.ProcessKey{PID: 7, Start: 1}, Name: "chat", Path: "/usr/bin/chat"}},
		}},
	}
	source.drained = func() {
		interrupt()
		<-h.ended
		source.packets = late
	}
	result := Run(ctx, Config{
		Live: true, Sources: []capture.Source{source}, Source: summarize.Source{Kind: "live", Interfaces: []string{"eth0"}},
		LocalAddrs:   func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(host.Addr(), 32)} },
		AbsentReason: pidmap.ReasonNoSocketSeen,
		Owners:       h, Counters: h,
		BeforeOpen: map[string]summarize.InterfaceCounters{"eth0": {}}, AfterOpen: map[string]summarize.InterfaceCounters{"eth0": {}},
		Now: func() time.Time { return now },
	})
	s := result.Summary
	if s.Totals.Bytes() != bytes || s.Totals.Packets() != 700 {
		t.Errorf("totals %+v, want 700 packets, %d bytes", s.Totals, bytes)
	}
	select {
	case <-h.woken:
	default:
		t.Error("a flow of an unknown socket did not wake the source of owners")
	}
	if len(s.Apps) != 1 || s.Apps[0].App.Name != "chat" || s.Apps[0].Flows != 1 {
		t.Errorf("apps %+v, want chat with the flow that the last scan knew", s.Apps)
	}
	if i := s.Audit.Interfaces[0]; i.ResidualBytes != 0 || i.Unavailable != "" || i.KernelBytes != bytes {
		t.Errorf("interface %+v, want no residual", i)
	}
}

// TestRunViewNeverHoldsUp: a view that does not take its news must not keep packets from being counted.
func TestRunViewNeverHoldsUp(t *testing.T) {
	release := make(chan struct{})
	packets, bytes := datagrams(20*batchSize, time.Unix(1000, 0))
	source := &tapeSource{packets: packets, end: io.EOF, iface: ethernet("en0")}
	source.drained = func() { close(release) } // the view begins to read when all is read
	var last Progress
	result := Run(t.Context(), Config{
		Sources: []capture.Source{source}, Tick: time.Microsecond,
		View: func(news <-chan Progress) {
			<-release
			for p := range news {
				last = p
			}
		},
	})
	if got := result.Summary.Totals.Bytes(); got != bytes {
		t.Errorf("%d bytes, want %d", got, bytes)
	}
	if last.Packets > uint64(len(packets)) {
		t.Errorf("view saw %d packets of %d", last.Packets, len(packets))
	}
}

// TestRunInterruptedFile: ^C while a file is read ends in a report of what was read.
func TestRunInterruptedFile(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	packets, _ := datagrams(batchSize, time.Unix(1000, 0))
	source := &endless{packets: packets, interrupt: interrupt}
	result := Run(ctx, Config{Sources: []capture.Source{source}})
	if got := result.Summary.Totals.Packets(); got < batchSize || got > 100*batchSize {
		t.Errorf("%d packets counted after an interrupt at packet %d", got, batchSize)
	}
}

// endless repeats its packets and interrupts the run after the first round.
type endless struct {
	tapeSource
	packets   []capture.Packet
	given     int
	interrupt func()
}

func (s *endless) Next(p *capture.Packet) error {
	*p = s.packets[s.given%len(s.packets)]
	if s.given++; s.given == len(s.packets) {
		s.interrupt()
	}
	return nil
}
