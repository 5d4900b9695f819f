package main

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"apptap/fixtures/netns"
	"apptap/pidmap"
)

const (
	countedBefore = 100_000 // bytes of payload that each lasting socket sent before the run
	countedDuring = 7_000   // and during it
	countedShort  = 1000    // connections made and ended while the run counts: longer than an ended socket is kept apart
)

// countedReport is the part of a report that says what was counted when.
type countedReport struct {
	Window       struct{ Start, End time.Time }
	Unattributed struct{ Reasons map[string]uint64 }
	Audit        struct {
		Interfaces []struct {
			Captured  uint64           `json:"captured_bytes"`
			Residual  *int64           `json:"residual_bytes"`
			Explained map[string]int64 `json:"explained"`
		}
	}
	Flows []struct {
		Local, Remote string
		First, Last   time.Time
		counters
	}
}

// TestIntegrationCountedWindow counts on loopback while connections are made and ended without a pause, from before apptap is started
// until it has ended, beside a connection and a UDP socket that last all the time. What passed before the window and behind it
// must not count.
func TestIntegrationCountedWindow(t *testing.T) {
	here, _ := netns.Pair(t)
	watcher, _, err := pidmap.Open(pidmap.Config{})
	if err != nil {
		t.Skipf("no owners of sockets here: %v", err)
	}
	counts := watcher.Counts()
	watcher.Close()
	if !counts {
		t.Skip("kernel events do not count packets here")
	}
	dir := t.TempDir()
	lasting := newLastingSockets(t, here)
	lasting.send(t, countedBefore)

	short := shortConnections{server: lasting.server.Addr().String(), enough: make(chan struct{})}
	stopped := make(chan error, 1)
	go func() {
		var err error
		here.Do(t, func() { err = short.make() })
		stopped <- err
	}()
	count := func(name string, flags ...string) (file string, end func()) {
		file = filepath.Join(dir, name+".json")
		args := append([]string{"capture", "-i", "lo", "--count-only", "--format", "json", "-o", file}, flags...)
		run := here.Command(t, "apptap", args...)
		wait := start(t, run, "counting on ")
		return file, func() { interrupt(t, run); wait() }
	}
	listed, endListed := count("listed", "--flows")
	summed, endSummed := count("summed", "--flows=false")
	lasting.send(t, countedDuring)
	short.counts.Store(true)
	select {
	case <-short.enough:
	case err := <-stopped:
		t.Fatal(err)
	}
	endListed()
	endSummed()
	short.over.Store(true)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}

	var r countedReport
	readJSON(t, summed, &r)
	r.check(t)
	r = countedReport{}
	readJSON(t, listed, &r)
	r.check(t)
	lasts := map[string]bool{}
	for _, f := range r.Flows {
		if f.First.Before(r.Window.Start) || f.Last.Before(f.First) || r.Window.End.Before(f.Last) {
			t.Errorf("%s: from %v to %v, want that within the window, %v to %v", f.Local, f.First, f.Last, r.Window.Start, r.Window.End)
		}
		if f.Local == lasting.tcp.LocalAddr().String() || f.Local == lasting.udp.LocalAddr().String() {
			if lasts[f.Local] = true; f.TxPayload != countedDuring {
				t.Errorf("%s sent %d bytes, want the %d of the window", f.Local, f.TxPayload, countedDuring)
			}
		}
	}
	if len(lasts) != 2 || len(r.Flows) < 10 {
		t.Errorf("%d flows, among them %v, want both lasting sockets and many that ended", len(r.Flows), lasts)
	}
}

// check demands that counts of sockets and of the interface come to the same, but for what is named.
func (r *countedReport) check(t *testing.T) {
	t.Helper()
	if i := r.Audit.Interfaces; len(i) != 1 || i[0].Captured == 0 || i[0].Residual == nil || *i[0].Residual != 0 {
		b, _ := json.Marshal(r.Audit)
		t.Errorf("interfaces %s, want one without a residual", b)
	}
	if n := r.Unattributed.Reasons["no_socket_seen"]; n > 0 {
		t.Errorf("%d bytes of sockets that nobody saw, want none: sockets are all that counts", n)
	}
}

// lastingSockets are a connection and a UDP socket of loopback.
type lastingSockets struct {
	server net.Listener
	tcp    net.Conn
	udp    net.Conn
	sink   net.PacketConn
}

func newLastingSockets(t *testing.T, n *netns.Namespace) *lastingSockets {
	t.Helper()
	s := &lastingSockets{}
	var errs [4]error
	n.Do(t, func() {
		if s.server, errs[0] = net.Listen("tcp", "127.0.0.1:0"); errs[0] == nil {
			s.tcp, errs[1] = net.Dial("tcp", s.server.Addr().String())
		}
		if s.sink, errs[2] = net.ListenPacket("udp", "127.0.0.1:0"); errs[2] == nil {
			s.udp, errs[3] = net.Dial("udp", s.sink.LocalAddr().String())
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	go serveEcho(s.server)
	t.Cleanup(func() { s.tcp.Close(); s.udp.Close(); s.sink.Close(); s.server.Close() })
	return s
}

// serveEcho gives back what each connection sends until it ends.
func serveEcho(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { io.Copy(c, c); c.Close() }()
	}
}

// send sends n bytes of payload over either socket, and waits until they are through.
func (s *lastingSockets) send(t *testing.T, n int) {
	t.Helper()
	s.exchange(t, make([]byte, n))
	for b := make([]byte, 1000); n > 0; n -= len(b) {
		if _, err := s.udp.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.sink.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
	}
}

// exchange sends b over the connection and reads it back.
func (s *lastingSockets) exchange(t *testing.T, b []byte) {
	t.Helper()
	sent := make(chan error, 1)
	go func() { _, err := s.tcp.Write(b); sent <- err }()
	if _, err := io.ReadFull(s.tcp, make([]byte, len(b))); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// shortConnections are made one after the other until they are over.
type shortConnections struct {
	server       string
	counts, over atomic.Bool
	enough       chan struct{} // closed when there were countedShort while they count
}

func (s *shortConnections) make() error {
	b := make([]byte, 3000)
	for n := 0; !s.over.Load(); {
		c, err := net.Dial("tcp", s.server)
		if err != nil {
			return err
		}
		if _, err = c.Write(b); err == nil {
			_, err = io.ReadFull(c, b)
		}
		if c.Close(); err != nil {
			return err
		}
		if s.counts.Load() {
			if n++; n == countedShort {
				close(s.enough)
			}
		}
		time.Sleep(time.Millisecond) // only so that the machine has time for the rest
	}
	return nil
}
