package flows_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// tape is a connection that keeps what is written to it.
type tape struct {
	net.Conn
	mutex  sync.Mutex // guards writes: the transport writes from several goroutines
	writes [][]byte
}

func (c *tape) Write(b []byte) (int, error) {
	c.mutex.Lock()
	c.writes = append(c.writes, bytes.Clone(b))
	c.mutex.Unlock()
	return c.Conn.Write(b)
}

// coalesced is what net/http writes to one connection of HTTP/2 without TLS for a request to each host.
func coalesced(t *testing.T, hosts ...string) [][]byte {
	t.Helper()
	plain := new(http.Protocols)
	plain.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.Protocols = plain
	server.Start()
	defer server.Close()
	recorded := new(tape)
	transport := &http.Transport{Protocols: plain, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if recorded.Conn != nil {
			t.Error("the transport dials again")
		}
		recorded.Conn = conn
		return recorded, err
	}}
	for _, host := range hosts {
		request, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	transport.CloseIdleConnections()
	recorded.mutex.Lock()
	defer recorded.mutex.Unlock()
	return slices.Clone(recorded.writes)
}

// TestAuthorities: a connection that carries requests to several hosts lists them, and one to a single host does not.
func TestAuthorities(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("host%d.example", i))
	}
	tests := []struct {
		name  string
		hosts []string
		want  string
	}{
		{"one", []string{"a.example"}, ""},
		{"one, twice", []string{"a.example", "a.example"}, ""},
		{"two, by turns", []string{"b.example", "a.example:8080", "b.example"}, "b.example,a.example"},
		{"more than are read", many, string(bytes.Join(each(many[:64]), []byte(",")))},
	}
	for _, tt := range tests {
		table := flows.NewTable()
		frames := [][]byte{fixtures.TCP(host4, peer4, "S", 1000, 0, nil)}
		seq := uint32(1001)
		for _, b := range coalesced(t, tt.hosts...) {
			frames = append(frames, fixtures.TCP(host4, peer4, "PA", seq, 1, b))
			seq += uint32(len(b))
		}
		run(table, table.Follower(), frames...)
		list := table.Flows(nil, local4())
		if got := list[0].Names; len(list) != 1 || got.Authorities != tt.want || got.HTTP != tt.hosts[0] {
			t.Errorf("%s: got %q, first %q, want %q", tt.name, got.Authorities, got.HTTP, tt.want)
		}
		table.Close()
	}
}

func each(texts []string) (list [][]byte) {
	for _, text := range texts {
		list = append(list, []byte(text))
	}
	return list
}
