package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// serveHTTP3 answers over QUIC after a while, and behind a second port sends a Retry first.
func (s *servers) serveHTTP3() {
	s.t.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(serverDelay)
		io.WriteString(w, strings.Repeat("x", 2000))
	})
	config := http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{s.certificate}})
	for _, port := range []int{portHTTP3, portRetry} {
		transport := &quic.Transport{Conn: s.listenUDP(s.there, fmt.Sprintf("%s:%d", serverAddr, port))}
		transport.VerifySourceAddress = func(net.Addr) bool { return port == portRetry }
		listener, err := transport.ListenEarly(config, &quic.Config{Allow0RTT: port == portHTTP3})
		if err != nil {
			s.t.Fatal(err)
		}
		server := &http3.Server{Handler: handler}
		go server.ServeListener(listener)
		s.t.Cleanup(func() { server.Close(); transport.Close() })
	}
}

// askHTTP3 fetches a page over QUIC: with a full handshake, with 0-RTT data, and where a Retry comes first.
func (s *servers) askHTTP3() {
	sessions := tls.NewLRUClientSessionCache(2)
	for _, request := range []struct {
		method, name string
		port         int
	}{{http.MethodGet, "h3.test", portHTTP3}, {http3.MethodGet0RTT, "h3.test", portHTTP3}, {http.MethodGet, "retry.test", portRetry}} {
		if request.method == http.MethodGet {
			s.lookUp(request.name)
		}
		s.fetchHTTP3(request.method, request.name, request.port, sessions)
	}
}

// lookUp has a program of the client's system ask DNS.
func (s *servers) lookUp(name string) {
	s.t.Helper()
	if out, err := s.here.Command(s.t, "sh", append(s.resolver[:len(s.resolver):len(s.resolver)], "getent", "ahostsv4", name)...).CombinedOutput(); err != nil {
		s.t.Errorf("look up %s: %v: %s", name, err, out)
	}
}

func (s *servers) fetchHTTP3(method, name string, port int, sessions tls.ClientSessionCache) {
	s.t.Helper()
	transport := &quic.Transport{Conn: s.listenUDP(s.here, clientAddr+":0")}
	defer transport.Close()
	client := &http3.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: name, ClientSessionCache: sessions},
		Dial: func(ctx context.Context, _ string, config *tls.Config, quicConfig *quic.Config) (*quic.Conn, error) {
			return transport.DialEarly(ctx, &net.UDPAddr{IP: net.ParseIP(serverAddr), Port: port}, config, quicConfig)
		},
	}
	defer client.Close()
	request, err := http.NewRequestWithContext(s.t.Context(), method, fmt.Sprintf("https://%s:%d/", name, port), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := client.RoundTrip(request)
	if err != nil {
		s.t.Errorf("fetch from %s: %v", name, err)
		return
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); n != 2000 || err != nil {
		s.t.Errorf("fetch from %s: %d bytes, %v", name, n, err)
	}
}
