package flows_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// recordedQUIC are the datagrams of the first connection to a port of fixtures/servers.pcap, by whether the client sent them.
func recordedQUIC(t *testing.T, port uint16) (payloads [][]byte, up []bool) {
	t.Helper()
	f, err := os.Open(fixtures.Path(t, "servers.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	source, err := capture.NewReader(f, "servers.pcap")
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var p capture.Packet
	var client uint16
	for err = source.Next(&p); err == nil; err = source.Next(&p) {
		var o flows.Observation
		payload := flows.Outer.Decode(&p, &o)
		toServer := o.Dst.Port == port
		if o.Proto != flows.UDP || !toServer && o.Src.Port != port {
			continue
		}
		if client == 0 {
			client = o.Src.Port
		}
		if o.Src.Port == client || o.Dst.Port == client {
			payloads, up = append(payloads, append([]byte(nil), payload...)), append(up, toServer)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return payloads, up
}

// TestMovedQUIC: a recorded connection goes on from another port, as behind a NAT that has forgotten it, and keeps its name.
func TestMovedQUIC(t *testing.T) {
	payloads, up := recordedQUIC(t, 8446)
	handshake := 0
	for payloads[handshake][0]&0x80 != 0 || !up[handshake] {
		handshake++
	}
	moved := netip.AddrPortFrom(host4.Addr(), host4.Port()+1)
	tests := []struct {
		name  string
		whole bool // the handshake was captured
		want  string
	}{{"after its handshake", true, "h3.test"}, {"whose handshake was not captured", false, ""}}
	for _, tt := range tests {
		table := flows.NewTable()
		follower := table.Follower()
		var frames [][]byte
		for i, b := range payloads {
			client := host4
			if i >= handshake {
				client = moved
			} else if !tt.whole {
				continue
			}
			if up[i] {
				frames = append(frames, fixtures.UDP(client, peer4, b))
			} else {
				frames = append(frames, fixtures.UDP(peer4, client, b))
			}
		}
		run(table, follower, frames...)
		found := false
		for f := range table.All(local4()) {
			if f.Key.Local.Port == moved.Port() {
				if found = true; f.Names.QUIC != tt.want {
					t.Errorf("a connection %s is %q, want %q", tt.name, f.Names.QUIC, tt.want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no flow from the other port", tt.name)
		}
		table.Close()
	}
}
