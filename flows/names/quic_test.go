package names

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// TestInitialKeys compares with RFC 9001 §A.1 and RFC 9369 §A.1.
func TestInitialKeys(t *testing.T) {
	id, err := hex.DecodeString("8394c8f03e515708")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint32]string{quicV1: "fa044b2f42a3fd3b46fb255c", quicV2: "91f73e2351d8fa91660e909f"} {
		if got := hex.EncodeToString(newInitialKeys(version, newConnID(id)).iv[:]); got != want {
			t.Errorf("version %x: iv %s, want %s", version, got, want)
		}
	}
	if newInitialKeys(0x12345678, newConnID(id)) != nil {
		t.Error("keys for an unknown version")
	}
}

// cryptoFrame is a CRYPTO frame with b at offset.
func cryptoFrame(offset int, b []byte) []byte {
	out := []byte{6, 0x80, byte(offset >> 16), byte(offset >> 8), byte(offset), 0x40 | byte(len(b)>>8), byte(len(b))}
	return append(out, b...)
}

// longHeader is a long header up to the token or length.
func longHeader(kind quicKind, version uint32, dst, src string) []byte {
	if version == quicV2 {
		kind = (kind + 1) & 3
	}
	out := binary.BigEndian.AppendUint32([]byte{0xc0 | byte(kind)<<4 | 1}, version)
	out = append(append(out, byte(len(dst))), dst...)
	return append(append(out, byte(len(src))), src...)
}

// initialPacket protects frames as a client whose keys come from the connection ID first and that writes to dst.
func initialPacket(version uint32, first, dst string, number uint16, frames []byte) []byte {
	k := newInitialKeys(version, newConnID([]byte(first)))
	frames = append(frames, make([]byte, max(0, 64-len(frames)))...)
	head := append(longHeader(quicInitial, version, dst, "client"), 3, 't', 'o', 'k')
	length := 2 + len(frames) + 16
	head = append(head, 0x40|byte(length>>8), byte(length))
	at := len(head)
	head = binary.BigEndian.AppendUint16(head, number)
	nonce := k.iv
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^uint64(number))
	packet := k.aead.Seal(head, nonce[:], frames, head)
	var mask [16]byte
	k.header.Encrypt(mask[:], packet[at+4:at+20])
	packet[0] ^= mask[0] & 0x0f
	packet[at] ^= mask[1]
	packet[at+1] ^= mask[2]
	return packet
}

// message is the handshake message in a record.
func message(record []byte) []byte { return record[5:] }

func concat(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

type datagram struct {
	side Side
	b    []byte
}

func TestQUIC(t *testing.T) {
	h := message(hello(t, &tls.Config{ServerName: "a.example", NextProtos: []string{"h3"}}))
	other := message(hello(t, &tls.Config{ServerName: "b.example"}))
	a, b, c := cryptoFrame(0, h[:50]), cryptoFrame(50, h[50:300]), cryptoFrame(300, h[300:])
	ack, ping := []byte{2, 5, 0, 1, 0, 1, 1}, []byte{1}
	whole := func(version uint32) []byte {
		return initialPacket(version, "server-1", "server-1", 0, concat(ack, a, b, c))
	}
	retry := append(longHeader(quicRetry, quicV1, "client", "server-2"), "token and sixteen bytes"...)
	zero := append(longHeader(quicZeroRTT, quicV1, "server-1", "client"), append([]byte{0x40, 40}, make([]byte, 40)...)...)
	negotiation := append(longHeader(quicInitial, 0, "client", "server-1"), 0, 0, 0, 1)
	tests := []struct {
		name      string
		datagrams []datagram
		want      string
		why       Absence
	}{
		{"version 1", []datagram{{0, whole(quicV1)}}, "a.example", Named},
		{"version 2", []datagram{{0, whole(quicV2)}}, "a.example", Named},
		{"draft 22", []datagram{{0, whole(quicDraft + 22)}}, "a.example", Named},
		{"draft 27", []datagram{{0, whole(quicDraft + 27)}}, "a.example", Named},
		{"draft 32", []datagram{{0, whole(quicDraft + 32)}}, "a.example", Named},
		{"draft 34", []datagram{{0, whole(quicDraft + 34)}}, "a.example", Named},
		{"mvfst", []datagram{{0, whole(quicMvfst2)}}, "a.example", Named},
		{"T051", []datagram{{0, whole(quicT051)}}, "a.example", Named},
		{"reserved version", []datagram{{0, whole(0x1a2a3a4a)}}, "a.example", Named},
		{"frames in any order", []datagram{{0, initialPacket(quicV1, "x", "x", 0, concat(c, ping, a, ping, b))}}, "a.example", Named},
		{"three Initials in any order", []datagram{
			{1, initialPacket(quicV1, "x", "x", 2, c)}, {1, initialPacket(quicV1, "x", "x", 0, b)}, {1, initialPacket(quicV1, "x", "x", 1, a)},
		}, "a.example", Named},
		{"coalesced with 0-RTT and Initials", []datagram{
			{0, concat(initialPacket(quicV1, "x", "x", 0, a), zero, initialPacket(quicV1, "x", "x", 1, b))},
			{0, concat(zero, initialPacket(quicV1, "x", "x", 2, c))},
		}, "a.example", Named},
		{"server's connection ID", []datagram{
			{0, initialPacket(quicV1, "x", "x", 0, a)}, {0, initialPacket(quicV1, "x", "server", 1, concat(b, c))},
		}, "a.example", Named},
		{"Retry", []datagram{
			{0, initialPacket(quicV1, "x", "x", 0, a)}, {1, retry},
			{0, initialPacket(quicV1, "server-2", "server-2", 1, concat(a, b))}, {0, initialPacket(quicV1, "server-2", "server-2", 2, c)},
		}, "a.example", Named},
		{"version negotiation", []datagram{
			{0, initialPacket(0x1a2a3a4a, "x", "x", 0, a)}, {1, negotiation}, {0, whole(quicV1)},
		}, "a.example", Named},
		{"compatible version negotiation", []datagram{
			{0, initialPacket(quicV1, "x", "x", 0, a)}, {0, initialPacket(quicV2, "x", "server", 1, concat(b, c))},
		}, "a.example", Named},
		{"next connection on the same flow", []datagram{
			{0, initialPacket(quicV1, "x", "x", 0, a)}, {0, initialPacket(quicV1, "y", "y", 0, cryptoFrame(0, other))},
		}, "b.example", Named},
		{"server's packet first", []datagram{{1, initialPacket(quicV1, "x", "", 0, a)}, {0, whole(quicV1)}}, "a.example", Named},
		{"the name's part only", []datagram{{0, initialPacket(quicV1, "x", "x", 0, cryptoFrame(0, h[:len(h)-20]))}}, "a.example", Named},
		{"cut", []datagram{{0, initialPacket(quicV1, "x", "x", 0, a)}}, "", HelloCut},
		{"begins later", []datagram{{0, initialPacket(quicV1, "x", "server", 7, c)}}, "", Undecipherable},
		{"unknown version", []datagram{{0, append(longHeader(quicInitial, 0x12345678, "x", "x"), make([]byte, 1200)...)}}, "", Undecipherable},
		{"no QUIC", []datagram{{0, []byte("\x80\x00\x00\x00some RTP packet")}}, "", NoKnownStart},
	}
	for _, tt := range tests {
		var s Sniffer
		for i, d := range tt.datagrams {
			s.Datagram(d.side, int64(i+1), d.b)
		}
		got := s.Seen()
		if got.Name.Host != tt.want || got.Why != tt.why || tt.want != "" && (got.Name.Origin != QUICServerName || got.Client == NoSide) {
			t.Errorf("%s: got %+v, want %q for reason %v", tt.name, got, tt.want, tt.why)
		}
	}
}

func TestQUICTimes(t *testing.T) {
	h := message(hello(t, &tls.Config{ServerName: "a.example"}))
	handshake := append(longHeader(quicHandshake, quicV1, "client", "server"), append([]byte{0x40, 40}, make([]byte, 40)...)...)
	short := append([]byte{0x41}, make([]byte, 40)...)
	var s Sniffer
	s.Datagram(0, 1, initialPacket(quicV1, "x", "x", 0, cryptoFrame(0, h)))
	s.Datagram(1, 2, handshake)
	s.Datagram(1, 3, append(handshake, short...))
	if done := s.Datagram(0, 4, short); !done {
		t.Error("not done after 1-RTT packets both ways")
	}
	if got := s.Seen(); got.Hello != 1 || got.ServerHello != 2 || got.ServerData != 3 || got.ClientData != 4 || got.QUIC != quicV1 {
		t.Errorf("got %+v", got)
	}
}

// TestMoves finds a connection again by the IDs of before, from both sides.
func TestMoves(t *testing.T) {
	var m Moves
	m.Learn(initialPacket(quicV1, "x", "x", 0, nil), 7) // its source is "client"
	m.Learn(append(longHeader(quicInitial, quicV1, "client", "server"), 0, 1, 0), 7)
	m.Learn(append(longHeader(quicHandshake, quicV1, "client", "handshaker"), 1, 0), 8)
	m.Learn(append(longHeader(quicInitial, quicV1, "anew", "abc"), 0, 1, 0), 9)
	m.Learn(nil, 9)
	tests := []struct {
		name string
		b    string
		want uint32
	}{
		{"to the server", "\x41server, encrypted", 7},
		{"to the client", "\x41client, encrypted", 7},
		{"to an ID that was taken anew", "\x41anew, encrypted", 9},
		{"another connection", "\x41nobody, encrypted", 0},
		{"an ID that no Initial had", "\x41handshaker", 0},
		{"an ID too short to mean anything", "\x41abc, encrypted", 0},
		{"no 1-RTT packet", "\x01server, encrypted", 0},
		{"cut", "\x41serve", 0},
		{"empty", "", 0},
	}
	for _, tt := range tests {
		if got, ok := m.Name([]byte(tt.b)); got != tt.want || ok != (tt.want != 0) {
			t.Errorf("%s: got %d %v, want %d", tt.name, got, ok, tt.want)
		}
	}
	for i := range 2 * maxMoves {
		id := string([]byte{1, 2, 3, byte(i >> 16), byte(i >> 8), byte(i)})
		m.Learn(append(longHeader(quicInitial, quicV1, "x", id), 0, 1, 0), 1)
	}
	if len(m.names) > maxMoves || len(m.order) > maxMoves {
		t.Errorf("holds %d IDs in %d", len(m.names), len(m.order))
	}
	if _, ok := m.Name([]byte("\x41server, encrypted")); ok {
		t.Error("the oldest ID is still there")
	}
}

// chlo is a client hello of Google's QUIC, as the message stands in a frame.
func chlo(name string) []byte {
	out := []byte("CHLO\x02\x00\x00\x00PAD\x00\x04\x00\x00\x00SNI\x00")
	out = binary.LittleEndian.AppendUint32(out, uint32(4+len(name)))
	return append(append(out, "----"...), name...)
}

func TestGoogleQUIC(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
	}{
		{"Q043", append([]byte("\x09connidxxQ043\x01hash--------\xa0\x01\x04\x00\x00"), chlo("a.example")...)},
		{"Q046", append([]byte("\xc3Q046\x50connidxx\x00\x00\x00\x01hash--------\xa0\x01\x04\x00"), chlo("a.example")...)},
		{"Q050", initialPacket(quicQ050, "x", "x", 0, append([]byte{8, 0, 0x40, 60}, chlo("a.example")...))},
	}
	for _, tt := range tests {
		var s Sniffer
		s.Datagram(0, 1, tt.b)
		if got := s.Seen(); got.Name != (Name{Host: "a.example", Origin: QUICServerName}) {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

func TestStarts(t *testing.T) {
	h := hello(t, &tls.Config{ServerName: "a.example"})
	for name, b := range map[string][]byte{"TLS": h, "HTTP": []byte("GET / HTTP/1.1\r\n"), "HTTP/2": []byte(preface)} {
		if !StreamStart(b) {
			t.Errorf("%s: no start of a stream", name)
		}
	}
	for name, b := range map[string][]byte{"SSH": []byte("SSH-2.0-OpenSSH\r\n"), "application data": record(23, make([]byte, 9)), "nothing": nil, "response": []byte("HTTP/1.1 200 OK\r\n")} {
		if StreamStart(b) {
			t.Errorf("%s: a start of a stream", name)
		}
	}
	body := dtlsHello("", "a.example")
	for name, b := range map[string][]byte{
		"version 1": initialPacket(quicV1, "x", "x", 0, nil), "version 2": initialPacket(quicV2, "x", "x", 0, nil),
		"Google's": append([]byte("\x09connidxxQ043\x01hash--------\xa0\x01\x04\x00\x00"), chlo("a")...), "DTLS": dtlsFragment(1, 0, len(body), 0, body),
	} {
		if !DatagramStart(b) {
			t.Errorf("%s: no start", name)
		}
	}
	for name, b := range map[string][]byte{"1-RTT": append([]byte{0x41}, make([]byte, 40)...), "RTP": make([]byte, 172), "empty": nil} {
		if DatagramStart(b) {
			t.Errorf("%s: a start", name)
		}
	}
}

// FuzzDatagram seals frames of any content, so that the fuzzer gets behind the encryption, and feeds b raw as well.
func FuzzDatagram(f *testing.F) {
	h := message(hello(f, &tls.Config{ServerName: "a.example"}))
	f.Add(cryptoFrame(0, h), true, uint32(quicV1))
	f.Add(concat([]byte{2, 5, 0, 1, 0, 1, 1}, cryptoFrame(0, h[:90]), cryptoFrame(90, h[90:])), true, uint32(quicV2))
	f.Add(append([]byte("\x09connidxxQ043\x01hash--------\xa0\x01\x04\x00\x00"), chlo("a.example")...), false, uint32(0))
	body := dtlsHello("", "a.example")
	f.Add(dtlsFragment(1, 0, len(body), 0, body), false, uint32(0))
	f.Add(initialPacket(quicV1, "x", "x", 0, cryptoFrame(0, h)), false, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, seal bool, version uint32) {
		var s Sniffer
		if seal && len(b) < 1<<13 && initialSalt(version) != "" {
			b = initialPacket(version, "x", "x", 0, b)
			if s.Datagram(0, 1, b); s.seen.Client != 0 {
				t.Fatal("the keys of a packet do not open it")
			}
		}
		done := s.Datagram(1, 2, b)
		if again := s.Datagram(0, 3, b); done && !again {
			t.Fatal("done, and then no more")
		}
		var m Moves
		m.Learn(b, 1)
		if _, known := m.Name(b); known {
			t.Fatal("an Initial is a 1-RTT packet too")
		}
		seen := s.Seen()
		checkSeen(t, &seen)
		if DatagramStart(b) && seen.Why == NothingSeen {
			t.Fatal("a start of which nothing was seen")
		}
	})
}
