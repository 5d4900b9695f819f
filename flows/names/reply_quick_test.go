package names

import (
	"bytes"
	"reflect"
	"testing"
)

// pointed is a record of the name that is asked for, by a pointer.
func pointed(kind uint16, ttl uint32, data []byte) []byte {
	return append([]byte{0xc0, 12}, wireRecord("x", kind, ttl, data)[len(wireName("x")):]...)
}

// TestQuickReply: what most responses are is read in one go, everything else is left to Parse, and both say the same.
func TestQuickReply(t *testing.T) {
	long := string(bytes.Repeat([]byte("a"), 60))
	opt := append([]byte{0, 0, 41, 16, 0, 0, 0, 0, 0}, 0, 4, 1, 2, 3, 4)
	a, aaaa := v4.AsSlice(), v6.AsSlice()
	tests := map[string]struct {
		message []byte
		quick   bool
	}{
		"addresses":     {wireMessage(7, 0x8180, "Www.example", TypeA, pointed(TypeA, 60, a), pointed(TypeA, 1<<31, a)), true},
		"IPv6":          {wireMessage(7, 0x8180, "www.example", TypeAAAA, pointed(TypeAAAA, 60, aaaa)), true},
		"with OPT":      {wireMessage(7, 0x8180, "www.example", TypeA, pointed(TypeA, 60, a), opt), true},
		"no address":    {wireMessage(7, 0x8180, "www.example", TypeAAAA), true},
		"truncated":     {wireMessage(7, 0x8380, "www.example", TypeA), true},
		"query":         {wireMessage(7, 0x0100, "www.example", TypeA), false},
		"update":        {wireMessage(7, 0xa800, "www.example", TypeA), false},
		"failed":        {wireMessage(7, 0x8182, "www.example", TypeA), false},
		"no question":   {wireMessage(7, 0x8400, "", 0, wireRecord("www.example", TypeA, 60, a)), false},
		"another owner": {wireMessage(7, 0x8180, "www.example", TypeA, wireRecord("mail.example", TypeA, 60, a)), false},
		"alias":         {[]byte(recorded), false},
		"service":       {wireMessage(7, 0x8180, "_8443._https.www.example", TypeA, pointed(TypeA, 60, a)), false},
		"long name":     {wireMessage(7, 0x8180, long+".example", TypeA, pointed(TypeA, 60, a)), false},
		"blocked":       {wireMessage(7, 0x8180, "www.example", TypeA, pointed(TypeA, 60, make([]byte, 4))), false},
		"cut":           {wireMessage(7, 0x8180, "www.example", TypeA, pointed(TypeA, 60, a))[:40], false},
		"wrong length":  {wireMessage(7, 0x8180, "www.example", TypeA, pointed(TypeA, 60, aaaa)), false},
	}
	for name, tt := range tests {
		if quick := checkQuickReply(t, tt.message); quick != tt.quick {
			t.Errorf("%s: read in one go: %t, want %t", name, quick, tt.quick)
		}
	}
}

// checkQuickReply holds QuickReply against Parse, twice: a name that was seen takes another way.
func checkQuickReply(t *testing.T, b []byte) (quick bool) {
	t.Helper()
	texts := new(Texts)
	m := Message{Texts: texts}
	for range 2 {
		got, ok := m.QuickReply(b, nil)
		if !ok {
			return false
		}
		if err := m.Parse(b); err != nil {
			t.Fatalf("% x is read in one go, and %v", b, err)
		}
		want := m.Reply(nil)
		if len(got.Addresses) == 0 && len(want.Addresses) == 0 {
			got.Addresses, want.Addresses = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("% x\n got %+v\nwant %+v", b, got, want)
		}
	}
	return true
}
