package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"apptap/capture"
	"apptap/fixtures/netns"
)

// TestIntegrationServers records what nginx, dnsmasq and quic-go say to curl and quic-go over a path with delays and losses that
// were put in on purpose, and finds each; see serverTimes. With -update the recording is kept.
func TestIntegrationServers(t *testing.T) {
	for _, program := range []string{"nginx", "dnsmasq", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	here, there := netns.Pair(t)
	file := filepath.Join(t.TempDir(), "servers.pcap")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := capture.NewPcapWriter(out, capture.LinkTypeRaw, 0)
	if err != nil {
		t.Fatal(err)
	}
	var truth serversTruth
	p := &path{
		t: t, record: w, near: here.TUN(t, tunName, clientAddr), far: there.TUN(t, tunName, serverAddr), snap: snapAnswers,
		fate: func(port uint16, nth int, packet []byte, up bool) (time.Duration, bool) {
			longer, lost := serverFate(port, nth, packet, up)
			if lost && !up {
				truth.LostBytes += uint64(len(payloadOfTCP(packet)))
			}
			return longer, lost
		},
	}
	stop := p.run()
	s := newServers(t, here, there)
	s.start()
	s.ask()
	stop()
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	checkServers(t, file, truth, most())
	if *update && !t.Failed() {
		keep(t, file, "../../fixtures/servers.pcap")
		data, err := json.Marshal(truth)
		if err == nil {
			err = os.WriteFile("../../fixtures/servers.truth.json", append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// serverFate delays the server's first flight of TLS, and loses the first SYN to one port and every 20th packet from another.
func serverFate(port uint16, nth int, packet []byte, up bool) (longer time.Duration, lost bool) {
	switch port {
	case portTLS13:
		if !up && startsWith(payloadOfTCP(packet), 0x16, 3, 3) {
			return helloDelay, false
		}
	case portLossySYN:
		return 0, nth == 1
	case portLossyPage:
		return 0, !up && len(packet) > 1000 && nth%20 == 0
	}
	return 0, false
}

// snapAnswers keeps whole what may state a name, and of what servers send in bulk the headers.
func snapAnswers(packet []byte, up bool) int {
	switch {
	case up || len(packet) < 300:
		return len(packet)
	case startsWith(payloadOfTCP(packet), 0x16):
		return 250
	}
	return 80
}

func startsWith(b []byte, start ...byte) bool {
	return len(b) >= len(start) && string(b[:len(start)]) == string(start)
}

// payloadOfTCP is nil for other packets.
func payloadOfTCP(packet []byte) []byte {
	const tcp = 6
	transport := packet[int(packet[0]&15)*4:]
	if packet[9] != tcp || len(transport) < 20 {
		return nil
	}
	return transport[min(len(transport), int(transport[12]>>4)*4):]
}

// servers are the programs at both ends of the path.
type servers struct {
	t           *testing.T
	here, there *netns.Namespace
	dir         string
	certificate tls.Certificate
	resolver    []string // what makes a program of the client ask the server's DNS
}

func newServers(t *testing.T, here, there *netns.Namespace) *servers {
	s := &servers{t: t, here: here, there: there, dir: t.TempDir()}
	// ip-netns(8) gives each program its own mounts: these files are seen by it alone.
	resolv := s.write("resolv.conf", "nameserver "+serverAddr+"\noptions timeout:5\n")
	switches := s.write("nsswitch.conf", "hosts: files dns\n")
	s.resolver = []string{"-c", `mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/nsswitch.conf && shift 2 && exec "$@"`, "sh", resolv, switches}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)} // nobody takes up a session of an expired one
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s.certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return s
}

func (s *servers) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// nginxConfig has the servers behind nginx: a page by itself, and one of a program that takes its time.
const nginxConfig = `
daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/nginx.log;
events {}
http {
  access_log off; keepalive_timeout 30s; default_type text/plain; root %[1]s;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; ssl_session_cache shared:s:1m;
  server {
    listen %[2]s:80; listen %[2]s:%[3]d; listen %[2]s:%[4]d; listen %[2]s:%[5]d http2;
    location /program/ { proxy_pass http://127.0.0.1:9001; proxy_buffering off; }
  }
  server { listen %[2]s:%[6]d ssl; ssl_protocols TLSv1.3; }
  server { listen %[2]s:%[7]d ssl; ssl_protocols TLSv1.2; }
  server { listen %[2]s:%[8]d ssl http2; ssl_protocols TLSv1.3; }
}
`

// start starts what listens, and waits until it does.
func (s *servers) start() {
	s.write("page", strings.Repeat("x", 2000))
	s.write("long", strings.Repeat("x", 500_000))
	s.serveProgram()
	s.serveSlowDNS()
	s.serveHTTP3()
	config := s.write("nginx.conf", fmt.Sprintf(nginxConfig, s.dir, serverAddr, portLossySYN, portLossyPage, portH2C, portTLS13, portTLS12, portH2))
	s.run("nginx", "-c", config, "-p", s.dir, "-e", filepath.Join(s.dir, "nginx.log"))
	s.run("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=", "--user=root", "--group=root", "--cache-size=0",
		"--listen-address="+serverAddr, "--bind-interfaces", "--host-record=quick.test,"+serverAddr, "--cname=alias.test,quick.test",
		"--address=/missing.test/", "--server=/slow.test/127.0.0.1#5300", "--local=/test/", "--address=/test/"+serverAddr)
	s.await(fmt.Sprintf("%s:%d", serverAddr, portH2))
	s.await(serverAddr + ":53")
}

// run starts a program beside the servers; it ends with the test.
func (s *servers) run(name string, args ...string) {
	s.t.Helper()
	c := s.there.Command(s.t, name, args...)
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		c.Wait() // it was ended
		if s.t.Failed() && said.Len() > 0 {
			s.t.Logf("%s: %s", name, said.String())
		}
	})
}

// await connects until something listens, from the server's own namespace: that is not on the path.
func (s *servers) await(addr string) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		var conn net.Conn
		var err error
		s.there.Do(s.t, func() { conn, err = net.Dial("tcp4", addr) })
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("nothing listens: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// serveProgram is the program behind nginx.
func (s *servers) serveProgram() {
	listener := s.listen("127.0.0.1:9001")
	mux := http.NewServeMux()
	mux.HandleFunc("/program/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(serverDelay)
		io.WriteString(w, strings.Repeat("x", 2000))
	})
	mux.HandleFunc("/program/paced", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 10 {
			if i > 0 {
				time.Sleep(transferDelay / 9)
			}
			io.WriteString(w, strings.Repeat("x", 2000))
			w.(http.Flusher).Flush()
		}
	})
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	s.t.Cleanup(func() { server.Close() })
}

func (s *servers) listen(addr string) (listener net.Listener) {
	s.t.Helper()
	var err error
	s.there.Do(s.t, func() { listener, err = net.Listen("tcp4", addr) })
	if err != nil {
		s.t.Fatal(err)
	}
	return listener
}

func (s *servers) listenUDP(n *netns.Namespace, addr string) (conn net.PacketConn) {
	s.t.Helper()
	var err error
	n.Do(s.t, func() { conn, err = net.ListenPacket("udp4", addr) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// serveSlowDNS is who dnsmasq asks for slow.test: it has an IPv4 address, after a while.
func (s *servers) serveSlowDNS() {
	conn := s.listenUDP(s.there, "127.0.0.1:5300")
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			answer := append([]byte(nil), buffer[:n]...)
			time.AfterFunc(dnsDelay, func() { conn.WriteTo(slowAnswer(answer), from) })
		}
	}()
}

// slowAnswer makes an answer of a query in place: the server's address for type A, nothing for others. What follows the question
// (EDNS) is left out.
func slowAnswer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	answer := append(query[:end+5:end+5], 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	answer[2], answer[3] = 0x85, 0x80
	copy(answer[4:12], "\x00\x01\x00\x01\x00\x00\x00\x00")
	if query[end+2] != 1 {
		answer[7] = 0
		return answer[:end+5]
	}
	return append(answer, net.ParseIP(serverAddr).To4()...)
}

// ask is what the client does, one thing after another.
func (s *servers) ask() {
	s.curl("http://quick.test/page")
	s.curl("http://alias.test/page")
	s.curl("http://slow.test/page")
	s.curl("http://server.test/program/slow")
	s.curl("http://transfer.test/program/paced")
	s.curl(fmt.Sprintf("http://syn.test:%d/page", portLossySYN))
	s.curl(fmt.Sprintf("http://loss.test:%d/long", portLossyPage))
	s.curl(fmt.Sprintf("https://tls13.test:%d/page", portTLS13))
	tls12 := fmt.Sprintf("https://tls12.test:%d/page", portTLS12)
	s.curl("--http1.1", "--header", "Connection: close", tls12, tls12) // the second takes the first one's session up
	s.curl(fmt.Sprintf("https://h2.test:%d/page", portH2))
	s.curl("--http2-prior-knowledge", fmt.Sprintf("http://h2c.test:%d/page", portH2C))
	s.curl(fmt.Sprintf("http://refused.test:%d/page", portClosed))
	s.curl("http://missing.test/")
	s.curl("http://elsewhere.example/")
	s.askHTTP3()
}

// curl fetches pages. Some can't be fetched, which is what they are for.
func (s *servers) curl(args ...string) {
	s.t.Helper()
	args = append(s.resolver[:len(s.resolver):len(s.resolver)], append([]string{"curl", "-q", "--noproxy", "*", "-sSk", "--max-time", "30"}, args...)...)
	c := s.here.Command(s.t, "sh", args...)
	c.Stdout = io.Discard
	var said strings.Builder
	c.Stderr = &said
	err := c.Run()
	last := args[len(args)-1]
	if may := strings.Contains(last, "refused.") || strings.Contains(last, "missing.") || strings.Contains(last, "elsewhere."); err != nil && !may {
		s.t.Errorf("curl %s: %v: %s", last, err, said.String())
	}
}
