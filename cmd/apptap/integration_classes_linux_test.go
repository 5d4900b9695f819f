package main

import (
	"io"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"apptap/fixtures/netns"
)

// auditJSON is the part of a report that says what came of the audit.
type auditJSON struct {
	Audit struct {
		Unexplained uint64 `json:"unexplained_bytes"`
		Explained   map[string]uint64
		Interfaces  []struct {
			ResidualBytes *int64 `json:"residual_bytes"`
		}
	}
	Degraded []string
	Flows    []struct {
		Proto, Local, Remote, Unavailable string
		Kernel                            *struct {
			Verdict string
			Causes  []struct {
				Name  string
				Bytes int64
			}
		}
	}
}

// outcome is the verdict of the flow of a local port, and the names of its causes.
func (r *auditJSON) outcome(local net.Addr) (all []string) {
	for _, f := range r.Flows {
		if f.Local != local.String() {
			continue
		}
		if f.Kernel == nil {
			return []string{f.Unavailable}
		}
		all = append(all, f.Kernel.Verdict)
		for _, c := range f.Kernel.Causes {
			all = append(all, c.Name+" "+strconv.FormatInt(c.Bytes, 10))
		}
	}
	return all
}

// classes talks from one namespace to another in ways that end in one class of the audit each.
type classes struct {
	*testing.T
	here, there *netns.Namespace
	server      net.Listener
	echo        *net.UDPConn
}

// TestIntegrationClasses makes differences between what is captured and what the kernel counts, each on a flow of its own, and
// finds it named there; with a filter and cut frames too, on the same traffic.
func TestIntegrationClasses(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap, which compiles filters")
	}
	here, there := netns.Pair(t)
	c := classes{T: t, here: here, there: there}
	c.serve()
	before := c.dial("10.77.0.2", "")
	c.talk(before, 1000)
	c.sideDoor()

	dir := t.TempDir()
	runs := map[string][]string{"plain": {"-s", "128"}, "filter": {"-s", "128", "src host 10.77.0.1"}, "cut": {"-s", "40"}}
	waits := map[string]func(){}
	for name, flags := range runs {
		run := here.Command(t, "apptap", append([]string{"capture", "-i", netns.Interface, "--format", "json", "--flows",
			"-o", filepath.Join(dir, name), "-w", filepath.Join(dir, name+".pcapng")}, flags...)...)
		wait := start(t, run, "capturing on")
		waits[name] = func() { interrupt(t, run); wait() }
	}
	c.begun(dir, slices.Collect(maps.Keys(runs)))
	want := map[net.Addr][]string{before.LocalAddr(): {"exact"}}
	c.talk(before, 500)
	c.tcp(want)
	c.udp(want)
	attempts := map[net.Addr]string{c.unsent(): "send_error ", c.refused(): "not_delivered -"} // as often as it was tried
	reports := map[string]*auditJSON{}
	for name, wait := range waits {
		wait()
		reports[name] = &auditJSON{}
		readJSON(t, filepath.Join(dir, name), reports[name])
	}
	plain := reports["plain"]
	if slices.ContainsFunc(plain.Degraded, func(s string) bool { return strings.HasPrefix(s, "owners are polled for") }) {
		t.Skipf("no kernel events here: %q", plain.Degraded)
	}
	for local, want := range want {
		if got := plain.outcome(local); !slices.Equal(got, want) {
			t.Errorf("%v: got %q, want %q", local, got, want)
		}
	}
	for local, cause := range attempts {
		got := plain.outcome(local)
		if len(got) != 2 || got[0] != "explained" || !strings.HasPrefix(got[1], cause) || !strings.HasSuffix(got[1], "000") {
			t.Errorf("%v: got %q, want explained by %s and thousands", local, got, cause)
		}
	}
	if plain.Audit.Unexplained != 0 {
		t.Errorf("%d bytes unexplained, want none", plain.Audit.Unexplained)
	}
	for name, cause := range map[string]string{"filter": "filtered_out", "cut": "snaplen"} {
		if a := reports[name].Audit; a.Explained[cause] == 0 || a.Unexplained != 0 {
			t.Errorf("%s: got %v and %d bytes unexplained, want some %s and none", name, a.Explained, a.Unexplained, cause)
		}
	}
}

// begun waits until every run has recorded a packet: before the first it reads the kernel's counters.
func (c *classes) begun(dir string, runs []string) {
	var watches []func()
	for _, name := range runs {
		watches = append(watches, watchFile(c.T, filepath.Join(dir, name+".pcapng")))
	}
	c.ask(1, 1, 1, nil).Close()
	for i, name := range runs {
		for recorded(c.T, filepath.Join(dir, name+".pcapng")) == 0 {
			watches[i]()
		}
	}
}

// serve answers TCP connections byte by byte, and has a UDP socket that says what it is told to.
func (c *classes) serve() {
	var err, udpErr error
	c.there.Do(c.T, func() {
		c.server, err = net.Listen("tcp4", ":7001")
		c.echo, udpErr = net.ListenUDP("udp4", &net.UDPAddr{Port: 7002})
	})
	if err != nil || udpErr != nil {
		c.Fatal(err, udpErr)
	}
	c.Cleanup(func() { c.server.Close(); c.echo.Close() })
	go func() {
		for {
			conn, err := c.server.Accept()
			if err != nil {
				return
			}
			go io.Copy(conn, conn)
		}
	}()
}

func (c *classes) dial(remote, local string) (conn *net.TCPConn) {
	var err error
	c.here.Do(c.T, func() {
		d := net.TCPAddr{IP: net.ParseIP(local)}
		conn, err = net.DialTCP("tcp4", &d, &net.TCPAddr{IP: net.ParseIP(remote), Port: 7001})
	})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { conn.Close() })
	return conn
}

// talk exchanges so many bytes.
func (c *classes) talk(conn net.Conn, bytes int) {
	c.Helper()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(make([]byte, bytes)); err != nil {
		c.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, bytes)); err != nil {
		c.Fatal(err)
	}
}

// sideDoor gives the namespaces a second way: what comes from 10.79.0.2 takes it.
func (c *classes) sideDoor() {
	for _, args := range [][]string{
		{"link", "add", "veth1", "type", "veth", "peer", "name", "veth1", "netns", c.there.Name},
		{"link", "set", "veth1", "up"}, {"addr", "add", "10.78.0.1/24", "dev", "veth1"}, {"route", "add", "10.79.0.2", "via", "10.77.0.2"},
	} {
		c.run(c.here, args...)
	}
	for _, args := range [][]string{
		{"link", "set", "veth1", "up"}, {"addr", "add", "10.78.0.2/24", "dev", "veth1"}, {"addr", "add", "10.79.0.2/32", "dev", "lo"},
		{"route", "add", "224.0.0.0/4", "dev", netns.Interface},
	} {
		c.run(c.there, args...)
	}
}

func (c *classes) run(n *netns.Namespace, args ...string) {
	c.Helper()
	if out, err := n.Command(c.T, "ip", args...).CombinedOutput(); err != nil {
		c.Fatalf("ip %q: %v: %s", args, err, out)
	}
}

func (c *classes) tcp(want map[net.Addr][]string) {
	done := c.dial("10.77.0.2", "")
	c.talk(done, 3000)
	done.Close()
	want[done.LocalAddr()] = []string{"exact"}

	open := c.dial("10.77.0.2", "")
	c.talk(open, 3000)
	want[open.LocalAddr()] = []string{"exact"}

	around := c.dial("10.79.0.2", "10.78.0.1")
	c.talk(around, 3000)
	around.Close()
	want[around.LocalAddr()] = []string{"explained", "other_interface 3000"}

	c.late(want)
}

// unsent writes 1000 bytes while there is no route: the kernel counts them as sent with each attempt, and one becomes a packet.
func (c *classes) unsent() net.Addr {
	c.run(c.there, "addr", "add", "10.77.0.3/24", "dev", netns.Interface)
	conn := c.dial("10.77.0.3", "")
	c.talk(conn, 100)
	c.run(c.here, "route", "add", "prohibit", "10.77.0.3/32")
	if _, err := conn.Write(make([]byte, 1000)); err != nil {
		c.Fatal(err)
	}
	c.run(c.here, "route", "del", "prohibit", "10.77.0.3/32")
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		c.Fatal(err)
	}
	conn.Close()
	return conn.LocalAddr()
}

// refused has 1000 bytes arrive that something behind the capture drops until they have been sent again. It is its own server,
// whose kernel says when that was.
func (c *classes) refused() net.Addr {
	conn, far := c.connect(7004)
	defer far.Close()
	hear := c.here.Deaf(c.T)
	far.Write(make([]byte, 1000))
	netns.AwaitRetransmit(c.T, far)
	hear()
	conn.SetDeadline(time.Now().Add(30 * time.Second)) // the next attempts are ever further apart
	if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
		c.Fatal(err)
	}
	conn.Close()
	io.ReadAll(far)
	return conn.LocalAddr()
}

// connect makes a connection to a server of its own.
func (c *classes) connect(port int) (conn, far *net.TCPConn) {
	var err error
	var l *net.TCPListener
	c.there.Do(c.T, func() { l, err = net.ListenTCP("tcp4", &net.TCPAddr{Port: port}) })
	if err != nil {
		c.Fatal(err)
	}
	defer l.Close()
	c.here.Do(c.T, func() { conn, err = net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(10, 77, 0, 2), Port: port}) })
	if err == nil {
		far, err = l.AcceptTCP()
	}
	if err != nil {
		c.Fatal(err)
	}
	return conn, far
}

// late closes a connection for which 2000 bytes are still to come. It is its own server: the other one ends with what it has read.
func (c *classes) late(want map[net.Addr][]string) {
	conn, far := c.connect(7003)
	defer far.Close()
	conn.Close()
	io.ReadAll(far) // until it has the FIN
	far.Write(make([]byte, 2000))
	io.ReadAll(far) // until the RST
	want[conn.LocalAddr()] = []string{"explained", "arrived_after_close -2000"}
}

func (c *classes) udp(want map[net.Addr][]string) {
	exact := c.ask(1, 100, 100, nil)
	want[exact.LocalAddr()] = []string{"exact"}
	closed := c.ask(3, 700, 1000, nil)
	closed.Close()
	want[closed.LocalAddr()] = []string{"exact"}

	short := c.ask(1, 900, 100, nil)
	short.Close()
	want[short.LocalAddr()] = []string{"explained", "truncated_receive -800"}

	unread := c.ask(2, 300, 0, nil)
	unread.Close()
	want[unread.LocalAddr()] = []string{"explained", "never_read -600"}

	corked := c.ask(1, 10, 10, nil)
	raw, err := corked.SyscallConn()
	if err != nil {
		c.Fatal(err)
	}
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_UDP, 1, 1) }) // UDP_CORK, udp(7)
	corked.WriteToUDPAddrPort(make([]byte, 40), netip.MustParseAddrPort("10.77.0.2:7002"))
	corked.Close()
	want[corked.LocalAddr()] = []string{"explained", "send_error 40"}

	elsewhere := c.ask(1, 10, 10, nil)
	elsewhere.WriteToUDPAddrPort(make([]byte, 60), netip.MustParseAddrPort("10.78.0.2:7002"))
	elsewhere.Close()
	want[elsewhere.LocalAddr()] = []string{"explained", "other_interface 60"}

	c.full(want)
	c.group(want)
}

// ask makes a socket, and has the other side send it so many datagrams of a length, of which it reads one into a buffer, 0
// = none.
func (c *classes) ask(datagrams, length, buffer int, prepare func(*net.UDPConn)) (conn *net.UDPConn) {
	c.Helper()
	var err error
	c.here.Do(c.T, func() { conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 77, 0, 1)}) })
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { conn.Close() })
	if prepare != nil {
		prepare(conn)
	}
	conn.WriteToUDPAddrPort([]byte("x"), netip.MustParseAddrPort("10.77.0.2:7002"))
	c.echo.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, _, err := c.echo.ReadFrom(make([]byte, 10)); err != nil {
		c.Fatal(err)
	}
	for range datagrams {
		c.echo.WriteTo(make([]byte, length), conn.LocalAddr())
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for buffer > 0 && datagrams > 0 {
		if _, _, err := conn.ReadFrom(make([]byte, buffer)); err != nil {
			c.Fatal(err)
		}
		datagrams--
	}
	return conn
}

// full has a socket that has room for nearly nothing sent a lot.
func (c *classes) full(want map[net.Addr][]string) {
	conn := c.ask(50, 1000, 0, func(conn *net.UDPConn) { conn.SetReadBuffer(4000) })
	var read int
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	for {
		n, _, err := conn.ReadFrom(make([]byte, 2000))
		if err != nil {
			break
		}
		read += n
	}
	conn.Close()
	want[conn.LocalAddr()] = []string{"explained", "socket_buffer_full " + strconv.Itoa(read-50_000)}
}

// group has a socket take part in a multicast group.
func (c *classes) group(want map[net.Addr][]string) {
	var conn *net.UDPConn
	var err error
	c.here.Do(c.T, func() {
		veth, lookErr := net.InterfaceByName(netns.Interface)
		if lookErr != nil {
			err = lookErr
			return
		}
		conn, err = net.ListenMulticastUDP("udp4", veth, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 77), Port: 7077})
	})
	if err != nil {
		c.Fatal(err)
	}
	defer conn.Close()
	c.echo.WriteTo(make([]byte, 80), &net.UDPAddr{IP: net.IPv4(224, 0, 0, 77), Port: 7077})
	c.echo.WriteTo(make([]byte, 20), &net.UDPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 7077})
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for range 2 {
		if _, _, err := conn.ReadFrom(make([]byte, 100)); err != nil {
			c.Fatal(err)
		}
	}
	want[&net.UDPAddr{IP: net.IPv4(10, 77, 0, 1), Port: 7077}] = []string{"explained", "multicast_fan_out 80"}
}
