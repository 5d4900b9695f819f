package names

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// wireName is a name as DNS writes it, without compression.
func wireName(name string) (out []byte) {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

// wireRecord is a resource record of class IN.
func wireRecord(owner string, kind uint16, ttl uint32, data []byte) []byte {
	out := binary.BigEndian.AppendUint16(wireName(owner), kind)
	out = binary.BigEndian.AppendUint32(append(out, 0, 1), ttl)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)))
	return append(out, data...)
}

// wireMessage is a message with at most one question.
func wireMessage(id, flags uint16, question string, kind uint16, records ...[]byte) []byte {
	out := binary.BigEndian.AppendUint16(nil, id)
	out = binary.BigEndian.AppendUint16(out, flags)
	questions := []byte(nil)
	if question != "" {
		questions = append(binary.BigEndian.AppendUint16(wireName(question), kind), 0, 1)
		out = append(out, 0, 1)
	} else {
		out = append(out, 0, 0)
	}
	out = append(out, 0, byte(len(records)), 0, 0, 0, 0)
	out = append(out, questions...)
	for _, r := range records {
		out = append(out, r...)
	}
	return out
}

var (
	v4 = netip.MustParseAddr("192.0.2.80")
	v6 = netip.MustParseAddr("2001:db8::80")
)

// recorded is an answer of 8.8.8.8 with compressed names: www.netbsd.org is an alias (RFC 1035 §4.1.4 pointers).
const recorded = "\x42\x42\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00\x03www\x06netbsd\x03org\x00\x00\x01\x00\x01" +
	"\xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03cdn\xc0\x10" +
	"\xc0\x2c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcc\x98\xbe\x0c"

func TestParseMessage(t *testing.T) {
	https := append(append([]byte{0, 1}, wireName("svc.example")...),
		0, 1, 0, 3, 2, 'h', '2', 0, 4, 0, 4, 192, 0, 2, 80, 0, 6, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80)
	tests := []struct {
		name string
		b    []byte
		want Message
	}{
		{"query", wireMessage(7, 0x0100, "Example.COM", TypeAAAA), Message{ID: 7, Questions: []Question{{"example.com", TypeAAAA}}}},
		{"compressed", []byte(recorded), Message{ID: 0x4242, Response: true, Questions: []Question{{"www.netbsd.org", TypeA}}, Records: []Record{
			{Owner: "www.netbsd.org", Type: TypeCNAME, TTL: 3600, Target: "cdn.netbsd.org"},
			{Owner: "cdn.netbsd.org", Type: TypeA, TTL: 60, Addr: netip.MustParseAddr("204.152.190.12")}}}},
		{"no such name", wireMessage(7, 0x8183, "nx.example", TypeA), Message{ID: 7, Response: true, RCode: 3, Questions: []Question{{"nx.example", TypeA}}}},
		{"mDNS without a question", wireMessage(0, 0x8400, "", 0, wireRecord("tv.local", TypeAAAA, 120, v6.AsSlice())),
			Message{Response: true, Records: []Record{{Owner: "tv.local", Type: TypeAAAA, TTL: 120, Addr: v6}}}},
		{"HTTPS with hints", wireMessage(7, 0x8180, "a.example", TypeHTTPS, wireRecord("a.example", TypeHTTPS, 300, https)),
			Message{ID: 7, Response: true, Questions: []Question{{"a.example", TypeHTTPS}}, Records: []Record{
				{Owner: "a.example", Type: TypeHTTPS, TTL: 300, Target: "svc.example"},
				{Owner: "a.example", Type: TypeHTTPS, TTL: 300, Target: "svc.example", Addr: v4},
				{Owner: "a.example", Type: TypeHTTPS, TTL: 300, Target: "svc.example", Addr: v6}}}},
		{"NetBIOS", wireMessage(7, 0x8500, "", 0, wireRecord("EGFCEFEECACACACACACACACACACACACA", TypeNB, 9, []byte{0, 0, 192, 0, 2, 80})),
			Message{ID: 7, Response: true, Records: []Record{{Owner: "fred", Type: TypeNB, TTL: 9, Addr: v4}}}},
		{"control characters and dots in labels", wireMessage(7, 0, "a\x1b\x00", TypeA), Message{ID: 7, Questions: []Question{{`a\027\000`, TypeA}}}},
	}
	var m Message
	for _, tt := range tests {
		err := m.Parse(tt.b)
		same := m.ID == tt.want.ID && m.Response == tt.want.Response && m.RCode == tt.want.RCode &&
			slices.Equal(m.Questions, tt.want.Questions) && slices.Equal(m.Records, tt.want.Records)
		if err != nil || !same {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, m, err, tt.want)
		}
	}
}

func TestParseMalformed(t *testing.T) {
	loop := []byte("\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01")
	for name, b := range map[string][]byte{
		"empty": nil, "half a header": []byte(recorded[:11]), "name that points at itself": loop, "cut in a question": []byte(recorded[:20]),
		"label of 64 bytes": []byte("\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40" + strings.Repeat("a", 64) + "\x00\x00\x01\x00\x01"),
	} {
		var m Message
		if err := m.Parse(b); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: error %v, want ErrMessage", name, err)
		}
	}
	var m Message
	if err := m.Parse([]byte(recorded[:len(recorded)-8])); err == nil || len(m.Records) != 1 {
		t.Errorf("cut in the second record: got %+v, %v, want the first record and an error", m, err)
	}
}

func TestMessageStream(t *testing.T) {
	framed := append([]byte{0, byte(len(recorded))}, recorded...)
	stream := append(append([]byte(nil), framed...), framed...)
	for _, size := range []int{1, 30, 1460} {
		var s MessageStream
		var got []string
		for i := 0; i < len(stream); i += size {
			s.Stream(0xfffffff0+uint32(i), stream[i:min(i+size, len(stream))], func(b []byte) { got = append(got, string(b)) })
		}
		if len(got) != 2 || got[0] != recorded || got[1] != recorded {
			t.Errorf("segments of %d: got %d messages", size, len(got))
		}
	}
	var s MessageStream
	n := 0
	s.Stream(100+60, framed[60:], func([]byte) { n++ })
	s.Stream(100, framed[:60], func([]byte) { n++ })
	if n != 1 {
		t.Errorf("reversed: got %d messages, want 1", n)
	}
}

// FuzzMessage holds what is read to clean names and bounded numbers, and parsing to give the same answer twice.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(recorded))
	f.Add(wireMessage(0, 0x8400, "", 0, wireRecord("tv.local", TypeAAAA, 120, v6.AsSlice()), wireRecord("_a._tcp.local", TypeSRV, 9, append(make([]byte, 6), wireName("tv.local")...))))
	f.Add(wireMessage(7, 0x8500, "", 0, wireRecord("EGFCEFEECACACACACACACACACACACACA", TypeNB, 9, []byte{0, 0, 192, 0, 2, 80})))
	f.Add(wireMessage(7, 0x8180, "www.example", TypeA, pointed(TypeA, 60, v4.AsSlice())))
	f.Add(wireMessage(7, 0x8180, "a.example", TypeHTTPS, wireRecord("a.example", TypeHTTPS, 300, []byte(
		"\x00\x01\x00\x00\x05\x00\x1e\x00\x1c\xfe\x0d\x00\x18\x07\x00\x20\x00\x01k\x00\x04\x00\x01\x00\x01\x20\x07public.\x00\x00"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkQuickReply(t, b)
		var m, again Message
		err := m.Parse(b)
		if err2 := again.Parse(b); (err == nil) != (err2 == nil) || !slices.Equal(m.Records, again.Records) {
			t.Fatalf("two answers: %+v, %+v", m, again)
		}
		if len(m.Questions) > maxRecords || len(m.Records) > 2*maxRecords {
			t.Fatalf("%d questions, %d records", len(m.Questions), len(m.Records))
		}
		check := func(name string) {
			if len(name) > 4*maxName {
				t.Fatalf("name of %d bytes", len(name))
			}
			for _, c := range []byte(name) {
				if c <= ' ' || c >= 0x7f {
					t.Fatalf("byte %q in %q", c, name)
				}
			}
		}
		check(m.Public)
		var c Cache
		c.Add(v4, v6, &m, 5)
		for _, r := range m.Records {
			check(r.Owner)
			check(r.Target)
			if r.Addr.IsValid() && m.Response && m.Opcode == 0 && m.RCode == 0 && !r.Addr.Unmap().IsUnspecified() {
				if _, ok := c.Name(v6, r.Addr, 5); !ok {
					t.Fatalf("nobody knows %v of %+v", r.Addr, m)
				}
			}
		}
		var s MessageStream
		s.Stream(0, b, func([]byte) {})
	})
}
