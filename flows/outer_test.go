package flows_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// vector is b behind its length in n bytes.
func vector(n int, b ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b)))[4-n:], b...)
}

// echConfigs is a list of one ECH configuration (RFC 9849 §4) whose name for the outside is public, behind one of a version that nobody
// knows.
func echConfigs(t *testing.T, public string) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	contents := slices.Concat([]byte{7, 0, 0x20}, vector(2, key.PublicKey().Bytes()...), vector(2, 0, 1, 0, 1), []byte{32}, vector(1, []byte(public)...), vector(2))
	return vector(2, slices.Concat([]byte{0xfe, 1}, vector(2, 1, 2, 3), []byte{0xfe, 0x0d}, vector(2, contents...))...)
}

// helloOf is what crypto/tls says first.
func helloOf(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_ = tls.Client(theirs, config).Handshake()
		theirs.Close()
	}()
	hello := make([]byte, 1<<14)
	n, err := ours.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

// TestOuterName: with an encrypted ClientHello the name that is stated is shown as outer if DNS told so, and what DNS was asked for
// says who was meant.
func TestOuterName(t *testing.T) {
	resolver := netip.MustParseAddrPort("192.0.2.53:53")
	reply := func(kind byte, body []byte) []byte {
		m := append([]byte("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x06secret\x07example\x00"), 0, kind, 0, 1)
		return append(append(m, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60), vector(2, body...)...)
	}
	configs := echConfigs(t, "Cover.example")
	address := peer4.Addr().As4()
	https := reply(65, slices.Concat([]byte{0, 1, 0, 0, 5}, vector(2, configs...)))
	encrypted := helloOf(t, &tls.Config{ServerName: "secret.example", EncryptedClientHelloConfigList: configs})
	plain := clientHello(t, "cover.example")
	tests := []struct {
		name    string
		answers [][]byte
		hello   []byte
		best    string
		source  string
		outer   bool
	}{
		{"DNS told", [][]byte{https, reply(1, address[:])}, encrypted, "secret.example", "dns", true},
		{"DNS told no address", [][]byte{https}, encrypted, "cover.example", "ech_outer", true},
		{"nobody told", nil, encrypted, "cover.example", "tls_sni", false},
		{"a plain hello for that name", [][]byte{https}, plain, "cover.example", "tls_sni", false},
		{"a list that is cut", [][]byte{reply(65, slices.Concat([]byte{0, 1, 0, 0, 5}, vector(2, configs[:len(configs)-12]...)))}, encrypted, "cover.example", "tls_sni", false},
	}
	for _, tt := range tests {
		table := flows.NewTable()
		follower := table.Follower()
		var frames [][]byte
		for _, answer := range tt.answers {
			frames = append(frames, fixtures.UDP(resolver, host4, answer))
		}
		frames = append(frames, fixtures.TCP(host4, peer4, "S", 0, 0, nil), fixtures.TCP(host4, peer4, "PA", 1, 1, tt.hello))
		run(table, follower, frames...)
		for f := range table.All(local4()) {
			if f.Key.Proto != flows.TCP {
				continue
			}
			best, source := f.Names.Best()
			if best != tt.best || source != tt.source || f.Names.Outer != tt.outer || f.Names.TLS != "cover.example" {
				t.Errorf("%s: got %q of %s, outer %v, stated %q; want %q of %s, outer %v", tt.name, best, source, f.Names.Outer, f.Names.TLS, tt.best, tt.source, tt.outer)
			}
		}
		table.Close()
	}
}
