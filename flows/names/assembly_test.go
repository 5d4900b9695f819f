package names

import (
	"bytes"
	"testing"
)

func TestAssembly(t *testing.T) {
	type piece struct {
		off  int
		text string
	}
	tests := []struct {
		name   string
		pieces []piece
		want   string
	}{
		{"in order", []piece{{0, "ab"}, {2, "cd"}}, "abcd"},
		{"reversed", []piece{{4, "ef"}, {2, "cd"}, {0, "ab"}}, "abcdef"},
		{"gap", []piece{{0, "ab"}, {3, "d"}}, "ab"},
		{"no start", []piece{{1, "b"}}, ""},
		{"first copy is kept", []piece{{0, "ab"}, {1, "XYd"}, {0, "ZZZZ"}}, "abYd"},
		{"fills several gaps", []piece{{1, "b"}, {3, "d"}, {5, "f"}, {0, "ABCDEFG"}}, "AbCdEfG"},
		{"begins before the start", []piece{{-2, "xxab"}, {-9, "yy"}}, "ab"},
	}
	for _, tt := range tests {
		var a assembly
		for _, p := range tt.pieces {
			a.put(p.off, []byte(p.text))
		}
		if got := string(a.prefix()); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAssemblyBounds(t *testing.T) {
	var a assembly
	if a.put(followed-1, []byte("ab")) {
		t.Error("a piece across the limit was kept whole")
	}
	if a.put(followed, []byte("a")) || a.put(1<<30, []byte("a")) {
		t.Error("a piece beyond the limit was kept")
	}
	a.reset()
	for i := range 4 * maxSpans {
		a.put(2*i, []byte("x"))
	}
	if len(a.spans) > maxSpans {
		t.Errorf("got %d spans, want at most %d", len(a.spans), maxSpans)
	}
}

// FuzzAssembly compares with a plain map of bytes, through puts, drops and raises.
func FuzzAssembly(f *testing.F) {
	f.Add([]byte("\x00\x05\x03\x00\x01\x09\x01\x02\x00\x02\x03\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var a assembly
		var model [followed + 1024]byte // 0 stands for a byte that has not come
		mark := byte(0)
		for ; len(script) >= 3; script = script[3:] {
			op, x, y := script[0]%4, int(script[1]), int(script[2])
			switch op {
			case 0, 1:
				mark++
				b := bytes.Repeat([]byte{mark | 1}, y)
				if len(a.spans) >= maxSpans-1 {
					return // refusals are the other test's
				}
				a.put(x-8, b)
				for i := range b {
					if at := x - 8 + i; at >= 0 && model[at] == 0 {
						model[at] = mark | 1
					}
				}
			case 2:
				a.drop(x)
				copy(model[:], model[x:])
			case 3:
				if len(a.data)+x > followed {
					return
				}
				a.raise(x)
				copy(model[x:], model[:len(model)-x])
				clear(model[:x])
			}
			n := bytes.IndexByte(model[:], 0)
			if got := a.prefix(); !bytes.Equal(got, model[:n]) {
				t.Fatalf("got %v, want %v", got, model[:n])
			}
		}
	})
}
