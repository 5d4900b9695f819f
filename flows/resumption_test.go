package flows_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/http/httptest"
	"slices"
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// serverHello is a ServerHello without its record, with extensions of these numbers and bodies.
func serverHello(extensions ...[]byte) []byte {
	body := slices.Concat([]byte{3, 3}, make([]byte, 32), []byte{0, 0x13, 1, 0})
	all := slices.Concat(extensions...)
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(all))), all...)
	return append([]byte{2, 0, 0, byte(len(body))}, body...)
}

func tlsMessages(messages ...[]byte) []byte {
	all := slices.Concat(messages...)
	return append([]byte{22, 3, 3, byte(len(all) >> 8), byte(len(all))}, all...)
}

func TestResumption(t *testing.T) {
	version13, psk := []byte{0, 43, 0, 2, 3, 4}, []byte{0, 41, 0, 2, 0, 0}
	certificate, ticket := append([]byte{11, 0, 0, 60}, make([]byte, 60)...), append([]byte{4, 0, 0, 60}, make([]byte, 60)...)
	ccs, sealed, finished := record(20, 1), record(23, 400), record(22, 40)
	retry := serverHello(version13)
	copy(retry[6:], "\xcf\x21\xad\x74\xe5\x9a\x61\x11")
	tests := []struct {
		name   string
		answer []byte
		want   flows.Resumption
	}{
		{"1.3", join(tlsMessages(serverHello(version13)), ccs, sealed), flows.ResumptionFull},
		{"1.3 with a PSK", join(tlsMessages(serverHello(version13, psk)), ccs, sealed), flows.ResumptionResumed},
		{"1.3, order of extensions", join(tlsMessages(serverHello(psk, version13)), ccs, sealed), flows.ResumptionResumed},
		{"1.3 says hello again", join(tlsMessages(retry), ccs), flows.ResumptionUnknown},
		{"1.2, certificate in the same record", tlsMessages(serverHello(), certificate), flows.ResumptionFull},
		{"1.2, certificate in the next", join(tlsMessages(serverHello()), tlsMessages(certificate)), flows.ResumptionFull},
		{"1.2, a ticket", join(tlsMessages(serverHello(), ticket), ccs, finished), flows.ResumptionResumed},
		{"1.2, a ticket in the next record", join(tlsMessages(serverHello()), tlsMessages(ticket), ccs, finished), flows.ResumptionResumed},
		{"1.2, at once ChangeCipherSpec", join(tlsMessages(serverHello()), ccs, finished), flows.ResumptionResumed},
		{"1.2, cut behind the hello", tlsMessages(serverHello()), flows.ResumptionUnknown},
		{"cut within the hello", tlsMessages(serverHello(version13, psk))[:40], flows.ResumptionUnknown},
		{"no extensions", tlsMessages(append([]byte{2, 0, 0, 38}, serverHello()[4:42]...), certificate), flows.ResumptionFull},
	}
	for _, tt := range tests {
		f := play(t, []beat{
			{0, 'c', "S", nil, ""}, {20, 's', "SA", nil, ""}, {20, 'c', "A", nil, ""},
			{21, 'c', "PA", record(22, 500), ""}, {41, 's', "PA", tt.answer, ""}, {42, 'c', "PA", join(ccs, record(23, 53)), ""},
		})
		if got := f.Timing.Resumption; got != tt.want || f.Timing.EarlyData {
			t.Errorf("%s: got %v, early data %v, want %v", tt.name, got, f.Timing.EarlyData, tt.want)
		}
	}
}

// TestEarlyData: application data ahead of the server's hello, with the ClientHello or behind it.
func TestEarlyData(t *testing.T) {
	open := []beat{{0, 'c', "S", nil, ""}, {20, 's', "SA", nil, ""}, {20, 'c', "A", nil, ""}}
	hello, early := record(22, 500), join(record(20, 1), record(23, 80))
	answer := join(tlsMessages(serverHello([]byte{0, 43, 0, 2, 3, 4})), record(23, 400))
	for name, beats := range map[string][]beat{
		"in one segment": {{21, 'c', "PA", join(hello, early), ""}, {41, 's', "PA", answer, ""}},
		"in the next":    {{21, 'c', "PA", hello, ""}, {21, 'c', "PA", early, ""}, {41, 's', "PA", answer, ""}},
	} {
		f := play(t, append(open[:3:3], beats...))
		if !f.Timing.EarlyData || f.Timing.TLS != flows.NoRTT {
			t.Errorf("%s: early data %v, TLS %d, want true and none yet", name, f.Timing.EarlyData, f.Timing.TLS)
		}
	}
}

// TestEarlyDataOfQUIC: 0-RTT packets behind an Initial in its datagram, and by themselves.
func TestEarlyDataOfQUIC(t *testing.T) {
	version := []byte{0, 0, 0, 1}
	ids, body := []byte{4, 1, 2, 3, 4, 2, 9, 9}, []byte{0x40, 80}
	initial := slices.Concat([]byte{0xc0}, version, ids, []byte{0}, body, make([]byte, 80))
	early := slices.Concat([]byte{0xd0}, version, ids, body, make([]byte, 80))
	tests := []struct {
		name      string
		datagrams [][]byte
		want      bool
	}{
		{"Initial alone", [][]byte{initial}, false},
		{"Initial, padded", [][]byte{append(initial[:len(initial):len(initial)], make([]byte, 1000)...)}, false},
		{"behind it", [][]byte{slices.Concat(initial, early)}, true},
		{"in another datagram", [][]byte{initial, early}, true},
		{"Initial that lies about its length", [][]byte{append(slices.Concat([]byte{0xc0}, version, ids, []byte{0, 0x7f, 0xff}), make([]byte, 80)...)}, false},
	}
	for _, tt := range tests {
		table := flows.NewTable()
		table.TakeTimes()
		for i, d := range tt.datagrams {
			add(table, int64(i), fixtures.UDP(host4, peer4, d))
		}
		if f := table.Flows(nil, local4())[0]; f.Timing.EarlyData != tt.want || f.Timing.Waiting < 0 {
			t.Errorf("%s: early data %v, waiting %d, want %v and how long Initials stood", tt.name, f.Timing.EarlyData, f.Timing.Waiting, tt.want)
		}
		table.Close()
	}
}

// spoken is a connection that keeps what each side wrote, in turns.
type spoken struct {
	net.Conn
	said *[][]byte
	who  byte
}

func (s spoken) Write(b []byte) (int, error) {
	*s.said = append(*s.said, append([]byte{s.who}, b...))
	return s.Conn.Write(b)
}

// TestResumptionOfRealHandshakes: what crypto/tls says of its own handshakes, in both versions.
func TestResumptionOfRealHandshakes(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := tls.NewLRUClientSessionCache(1)
		for i, want := range []flows.Resumption{flows.ResumptionFull, flows.ResumptionResumed} {
			beats, resumed := handshake(t, version, cache, server.TLS.Certificates)
			if resumed != (i == 1) {
				t.Fatalf("%x: crypto/tls resumed: %v", version, resumed)
			}
			f := play(t, beats)
			if f.Timing == nil || f.Timing.Resumption != want {
				t.Errorf("%x: got %v, want %v", version, f.Timing, want)
			}
		}
	}
}

// handshake makes one over a pipe, reads a byte of the server's (tickets come before it), and returns the segments.
func handshake(t *testing.T, version uint16, cache tls.ClientSessionCache, certificates []tls.Certificate) (beats []beat, resumed bool) {
	t.Helper()
	here, there := net.Pipe()
	var said [][]byte // a pipe's ends take turns: a Write returns once it was read
	client := tls.Client(spoken{here, &said, 'c'}, &tls.Config{InsecureSkipVerify: true, ServerName: "example.com", ClientSessionCache: cache, MinVersion: version, MaxVersion: version})
	done := make(chan error, 1)
	go func() {
		config := &tls.Config{Certificates: certificates}
		config.SetSessionTicketKeys([][32]byte{{1}}) // the same of every handshake, so that a later one can resume
		s := tls.Server(spoken{there, &said, 's'}, config)
		_, err := s.Write([]byte("x"))
		done <- err
	}()
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	beats = []beat{{0, 'c', "S", nil, ""}, {20, 's', "SA", nil, ""}, {20, 'c', "A", nil, ""}}
	for i, s := range said {
		for part := range slices.Chunk(s[1:], 1400) {
			beats = append(beats, beat{int64(21 + i), s[0], "PA", bytes.Clone(part), ""})
		}
	}
	return beats, client.ConnectionState().DidResume
}
