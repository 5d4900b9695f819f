package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures/netns"
)

// TestIntegrationTimes records flows whose delays were put in on purpose and finds each; see timeTruths.
func TestIntegrationTimes(t *testing.T) {
	here, there := netns.Pair(t)
	file := filepath.Join(t.TempDir(), "times.pcap")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := capture.NewPcapWriter(out, capture.LinkTypeRaw, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &path{t: t, record: w, near: here.TUN(t, tunName, clientAddr), far: there.TUN(t, tunName, serverAddr), fate: losses(), snap: snapLong}
	stop := p.run()
	talk := conversation{t, here, there}
	talk.all()
	stop()
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	checkTimes(t, file, most())
	if *update {
		keep(t, file, "../../fixtures/times.pcap")
	}
}

// losses are which packets the path loses: by port of the server, so that each loss has one purpose. How many acknowledgements there
// are depends on how busy the machine is, so that only long segments are counted.
func losses() func(port uint16, nth int, packet []byte, up bool) (delay time.Duration, lost bool) {
	long := 0
	return func(port uint16, nth int, packet []byte, up bool) (delay time.Duration, lost bool) {
		switch port {
		case portGone:
			return 0, true
		case portLostSYN:
			return 0, nth == 1
		case portLossy:
			if !up && len(packet) > 1000 {
				long++
				return 0, long%25 == 0
			}
		}
		return 0, false
	}
}

// conversation is what the client and the server do, one thing after another.
type conversation struct {
	t           *testing.T
	here, there *netns.Namespace
}

func (c conversation) all() {
	c.serveDNS()
	c.lookUp("mute.test") // nobody answers: to time out, time has to pass
	for _, s := range []struct {
		port   int
		answer func(net.Conn)
	}{
		{portQuick, func(conn net.Conn) { page(conn, 2000) }},
		{portServer, func(conn net.Conn) { time.Sleep(serverDelay); page(conn, 2000) }},
		{portTransfer, slowPage},
		{portLostSYN, func(conn net.Conn) { page(conn, 2000) }},
		{portLossy, func(conn net.Conn) { page(conn, 400_000) }},
		{portReader, func(conn net.Conn) { page(conn, 300_000) }},
		{portTLS, func(conn net.Conn) { page(conn, 2000) }},
	} {
		c.serve(s.port, s.answer)
	}
	c.get("dns.test", portQuick)
	c.get("server.test", portServer)
	c.fetch(portServer, 0) // warm: nobody looks the name up again
	c.fetch(portServer, 0)
	c.get("transfer.test", portTransfer)
	c.get("syn.test", portLostSYN)
	c.get("loss.test", portLossy)
	c.lookUp("reader.test")
	c.fetch(portReader, readerDelay)
	c.get("tls.test", portTLS)
	c.lookUp("refused.test")
	for range 3 {
		c.fetch(portRefused, 0)
	}
	c.lookUp("gone.test")
	c.fetch(portGone, 0)
	c.lookUp("missing.test")
	c.lookUp("never.test")
}

func page(conn net.Conn, length int) {
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length, strings.Repeat("x", length))
}

// slowPage pauses nine times.
func slowPage(conn net.Conn) {
	const part = 2000
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", 10*part)
	for i := range 10 {
		if i > 0 {
			time.Sleep(transferDelay / 9)
		}
		io.WriteString(conn, strings.Repeat("x", part))
	}
}

// serve answers the first request of every connection.
func (c conversation) serve(port int, answer func(net.Conn)) {
	var listener net.Listener
	var err error
	c.there.Do(c.t, func() { listener, err = net.Listen("tcp4", fmt.Sprintf("%s:%d", serverAddr, port)) })
	if err != nil {
		c.t.Fatal(err)
	}
	if port == portTLS {
		listener = tls.NewListener(listener, c.tlsConfig())
	}
	c.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for {
					line, err := reader.ReadString('\n')
					if err != nil {
						return
					}
					if line == "\r\n" {
						answer(conn)
						return
					}
				}
			}()
		}
	}()
}

// tlsConfig delays the server's first flight. One curve keeps the ClientHello in a short packet.
func (c conversation) tlsConfig() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		c.t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		time.Sleep(tlsDelay)
		return nil, nil
	}
	return config
}

func (c conversation) get(name string, port int) {
	c.lookUp(name)
	c.fetch(port, 0)
}

// fetch asks for a page and reads it, after a while.
func (c conversation) fetch(port int, pause time.Duration) {
	var conn net.Conn
	var err error
	dialer := net.Dialer{Timeout: 2500 * time.Millisecond}
	c.here.Do(c.t, func() { conn, err = dialer.Dial("tcp4", net.JoinHostPort(serverAddr, strconv.Itoa(port))) })
	if err != nil {
		if port != portRefused && port != portGone {
			c.t.Errorf("dial port %d: %v", port, err)
		}
		return
	}
	defer conn.Close()
	if port == portReader {
		conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	}
	if port == portTLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "tls.test", CurvePreferences: []tls.CurveID{tls.X25519}})
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"); err != nil {
		c.t.Errorf("ask port %d: %v", port, err)
		return
	}
	time.Sleep(pause)
	if _, err := io.Copy(io.Discard, conn); err != nil {
		c.t.Errorf("read from port %d: %v", port, err)
	}
}

// lookUp asks the server's DNS for a name, once.
func (c conversation) lookUp(name string) {
	var conn net.Conn
	var err error
	c.here.Do(c.t, func() { conn, err = net.Dial("udp4", serverAddr+":53") })
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	query := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		query = append(append(query, byte(len(label))), label...)
	}
	if _, err := conn.Write(append(query, 0, 0, 1, 0, 1)); err != nil {
		c.t.Fatal(err)
	}
	if name == "mute.test" {
		return
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 512)); err != nil {
		c.t.Errorf("look up %s: %v", name, err)
	}
}

// serveDNS answers that every name has the server's address, but for a few.
func (c conversation) serveDNS() {
	var conn net.PacketConn
	var err error
	c.there.Do(c.t, func() { conn, err = net.ListenPacket("udp4", serverAddr+":53") })
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			answer := append([]byte(nil), buffer[:n]...)
			answer[2], answer[3] = 0x81, 0x80
			switch {
			case strings.Contains(string(answer), "mute"):
				continue
			case strings.Contains(string(answer), "missing"):
				answer[3] |= 3
			default:
				answer[7] = 1
				answer = append(append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), net.ParseIP(serverAddr).To4()...)
			}
			if strings.Contains(string(answer), "\x03dns") {
				time.Sleep(dnsDelay)
			}
			conn.WriteTo(answer, from) // the test may be over
		}
	}()
}
