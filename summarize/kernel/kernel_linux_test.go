package kernel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"apptap/flows"
	"apptap/summarize"
)

// namespaceEnv says that the test binary already runs in a network namespace of its own.
const namespaceEnv = "APPTAP_KERNEL_TEST_NAMESPACE"

// inNamespace runs the calling test again in a fresh network namespace with lo up, whose traffic is all the test's
// own. It returns true there, and false where the caller has nothing left to do.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceEnv) != "" {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(exe, []string{exe, "-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=60s"}, &os.ProcAttr{
		Env: append(os.Environ(), namespaceEnv+"=1"), Files: []*os.File{nil, os.Stderr, os.Stderr},
		Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET},
	})
	if errors.Is(err, unix.EPERM) {
		t.Skipf("no network namespace to be had: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	state, err := p.Wait()
	if err != nil || !state.Success() {
		t.Errorf("in its namespace: %v, %v", state, err)
	}
	return false
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	const tool = "/sbin/ip"
	if _, err := os.Stat(tool); err != nil {
		t.Skipf("no tool to set up interfaces: %v", err)
	}
	p, err := os.StartProcess(tool, append([]string{tool}, args...), &os.ProcAttr{Files: []*os.File{nil, os.Stderr, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		t.Fatalf("ip %v: %v, %v", args, state, err)
	}
}

func openCounters(t *testing.T) *Counters {
	t.Helper()
	c, degraded, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("degraded: %q", degraded)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// transfer connects two sockets and moves bytes each way.
func transfer(t *testing.T, network, address string, up, down int) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	client, server = dialed.(*net.TCPConn), accepted.(*net.TCPConn)
	move(t, client, server, up)
	move(t, server, client, down)
	return client, server
}

func move(t *testing.T, from, to *net.TCPConn, n int) {
	t.Helper()
	sent := make(chan error, 1)
	go func() { _, err := from.Write(make([]byte, n)); sent <- err }()
	if _, err := io.ReadFull(to, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func keyOf(t *testing.T, c *net.TCPConn) flows.Key {
	t.Helper()
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return flows.MakeKey(flows.TCP, local, netip.MustParseAddrPort(c.RemoteAddr().String()))
}

func TestIntegrationSocketCounters(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link", "set", "lo", "up")
	counters := openCounters(t)
	const up, down = 1_234_567, 89
	for _, tt := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}, {"tcp", "[::]:0"}} {
		client, server := transfer(t, tt.network, tt.address, up, down)
		clientKey, serverKey := keyOf(t, client), keyOf(t, server)
		open, err := counters.Sockets(summarize.AtStart)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "open "+tt.network, open, clientKey, up, down, summarize.AtStart)
		check(t, "open "+tt.network, open, serverKey, down, up, summarize.AtStart)

		ctx, cancel := context.WithCancel(context.Background())
		emitted, done := make(chan []summarize.SocketCounters, 100), make(chan error, 1)
		go func() { done <- counters.RunClosed(ctx, func(c []summarize.SocketCounters) { emitted <- c }) }()
		client.CloseWrite()
		if _, err := io.Copy(io.Discard, server); err != nil { // server saw the client's FIN
			t.Fatal(err)
		}
		server.Close()
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Fatal(err)
		}
		client.Close()
		var closed []summarize.SocketCounters
		for !has(closed, clientKey) || !has(closed, serverKey) {
			select {
			case c := <-emitted:
				closed = append(closed, c...)
			case err := <-done:
				t.Fatalf("RunClosed ended: %v", err)
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("RunClosed ended with %v, want context.Canceled", err)
		}
		check(t, "closed "+tt.network, closed, clientKey, up, down, summarize.AtClose)
		check(t, "closed "+tt.network, closed, serverKey, down, up, summarize.AtClose)
		if got, want := find(closed, clientKey)[0].Cookie, find(open, clientKey)[0].Cookie; got != want || got == 0 {
			t.Errorf("cookie at the end %d, while open %d", got, want)
		}
	}
	if n := counters.Overflows(); n != 0 {
		t.Errorf("%d overflows, want none", n)
	}
}

func find(all []summarize.SocketCounters, key flows.Key) (found []summarize.SocketCounters) {
	for _, c := range all {
		if c.Key == key {
			found = append(found, c)
		}
	}
	return found
}

func has(all []summarize.SocketCounters, key flows.Key) bool { return len(find(all, key)) > 0 }

// check wants exactly one reading of key that counts every byte; FINs are received bytes at the end.
func check(t *testing.T, what string, all []summarize.SocketCounters, key flows.Key, sent, received uint64, moment summarize.Moment) {
	t.Helper()
	found := find(all, key)
	if len(found) != 1 {
		t.Errorf("%s %v: %d readings, want 1", what, key, len(found))
		return
	}
	c := found[0]
	if c.BytesSent-c.BytesRetrans != sent || c.Incomplete || c.Moment != moment || c.Time == 0 {
		t.Errorf("%s %v: %+v, want %d bytes sent, complete, moment %d", what, key, c, sent, moment)
	}
	if c.BytesReceived != received && (moment != summarize.AtClose || c.BytesReceived != received+1) {
		t.Errorf("%s %v: %d bytes received, want %d and at the end perhaps a FIN", what, key, c.BytesReceived, received)
	}
}

// A reset by SO_LINGER 0 leaves no counters, and what does arrive matches no flow. It is read although
// the context has ended: nothing that is queued is lost.
func TestIntegrationLinger(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link", "set", "lo", "up")
	counters := openCounters(t)
	client, server := transfer(t, "tcp4", "127.0.0.1:0", 1000, 10)
	key := keyOf(t, client)
	open, err := counters.Sockets(summarize.AtStart)
	if err != nil || !has(open, key) {
		t.Fatalf("the open socket is not listed (%v)", err)
	}
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("server read: %v, want a reset", err)
	}
	server.Close()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	cookie := find(open, key)[0].Cookie
	var closed []summarize.SocketCounters
	for len(closed) == 0 { // the kernel queues the event from a workqueue, soon after the close
		err = counters.RunClosed(ended, func(all []summarize.SocketCounters) {
			for _, c := range all {
				if c.Cookie == cookie {
					closed = append(closed, c)
				}
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("RunClosed: %v, want context.Canceled", err)
		}
	}
	if c := closed[0]; c.Key.Remote.Port != 0 || !c.Incomplete || c.BytesSent != 0 {
		t.Errorf("after SO_LINGER 0: %+v, want no remote port, incomplete, nothing sent", c)
	}
}

func TestIntegrationInterfaces(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	// Without this the kernel itself sends neighbour discovery.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Skipf("IPv6 cannot be turned off: %v", err)
	}
	ip(t, "link", "add", "apptap0", "type", "veth", "peer", "name", "apptap1")
	ip(t, "link", "set", "apptap0", "up")
	ip(t, "link", "set", "apptap1", "up")
	for _, name := range []string{"apptap0", "apptap1"} {
		untilRunning(t, name)
	}
	counters := openCounters(t)
	read := func() (map[string]summarize.InterfaceCounters, error) {
		return counters.Interfaces([]string{"apptap0", "apptap1"})
	}
	before, err := read()
	if err != nil {
		t.Fatal(err)
	}
	const frames, length = 50, 777
	sendFrames(t, "apptap0", frames, length)
	after, err := read()
	if err != nil {
		t.Fatal(err)
	}
	// The other end of a veth pair has a frame when the send returns or, at the latest, soon after.
	for want := before["apptap1"].RxPackets + frames; after["apptap1"].RxPackets < want; {
		if after, err = read(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := after["apptap0"].Sub(before["apptap0"]), (summarize.InterfaceCounters{TxPackets: frames, TxBytes: frames * length}); got != want {
		t.Errorf("sender: %+v, want %+v", got, want)
	}
	got := after["apptap1"].Sub(before["apptap1"])
	got.RxDropped = 0 // nobody listens for this EtherType: the frames were received all the same
	if want := (summarize.InterfaceCounters{RxPackets: frames, RxBytes: frames * length}); got != want {
		t.Errorf("receiver: %+v, want %+v", got, want)
	}
	found, err := counters.Interfaces([]string{"apptap0", "nosuch0"})
	if !errors.Is(err, ErrNoInterface) || len(found) != 1 {
		t.Errorf("with a missing one: %d found, %v; want 1, ErrNoInterface", len(found), err)
	}
}

// untilRunning waits for the kernel to give the interface its queue, soon after it is up: what is sent before is dropped.
func untilRunning(t *testing.T, name string) {
	t.Helper()
	for {
		iface, err := net.InterfaceByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if iface.Flags&net.FlagRunning != 0 {
			return
		}
	}
}

func sendFrames(t *testing.T, name string, count, length int) {
	t.Helper()
	iface, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Skipf("no packet socket: %v", err)
	}
	defer unix.Close(fd)
	frame := make([]byte, length)
	copy(frame, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5") // IEEE 802 local experimental EtherType 1
	for range count {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: iface.Index}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProbe(t *testing.T) {
	for _, check := range Probe() {
		t.Logf("%+v", check)
		if check.Name == "" || check.Detail == "" || check.OK != (check.Mend == "") {
			t.Errorf("%+v: want a name, a detail, and a mend if and only if it does not work", check)
		}
	}
}

// TestIntegrationSecond: where others tell of the ends of sockets too, nothing comes until they have missed some. Then they come in
// pieces and not one by one, and none is lost.
func TestIntegrationSecond(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link", "set", "lo", "up")
	counters, witness := openCounters(t), openCounters(t)
	closed := make(chan int, 1000)
	go witness.RunClosed(t.Context(), func(c []summarize.SocketCounters) { closed <- len(c) })
	end := func(pairs int) {
		for range pairs {
			client, server := transfer(t, "tcp4", "127.0.0.1:0", 100, 100)
			client.Close()
			server.Close()
		}
		for n := 0; n < 2*pairs; {
			n += <-closed
		}
	}
	var pieces, n int
	run := func(meanwhile func()) error {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- counters.RunClosed(ctx, func(c []summarize.SocketCounters) { pieces, n = pieces+1, n+len(c) })
		}()
		meanwhile()
		cancel()
		return <-done
	}
	const pairs = 20
	end(pairs)
	if err := counters.Second(); err != nil {
		t.Fatal(err)
	}
	counters.pause = time.Hour
	if err := run(func() { end(pairs) }); !errors.Is(err, context.Canceled) || n > 0 {
		t.Errorf("%d sockets came (%v), want none", n, err)
	}
	counters.Missed()
	counters.Missed()
	if err := counters.untilMissed(t.Context()); err != nil {
		t.Fatal(err)
	}
	counters.missed = nil // that is where RunClosed goes on
	end(pairs)
	// Others, long enough for each to be read if it were wanted now.
	if err := run(func() { end(pairs) }); !errors.Is(err, context.Canceled) || n != 4*pairs || pieces > 2 {
		t.Errorf("%d sockets came in %d pieces (%v), want %d in at most 2", n, pieces, err, 4*pairs)
	}
}
