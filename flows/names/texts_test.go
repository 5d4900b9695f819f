package names

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
)

// TestTexts: one number for one clean name, however it stood; an escape on the wire is not the name that it would escape.
func TestTexts(t *testing.T) {
	var texts Texts
	for length := range 300 { // around what an index takes
		raw := bytes.Repeat([]byte("L"), length)
		for range 2 {
			if got := texts.Text(texts.NumberOfRaw(raw)); got != Clean(raw) {
				t.Errorf("%d letters read %q", length, got)
			}
		}
	}
	first := texts.Number("www.example")
	for _, raw := range []string{"www.example", "WWW.Example", "www.example.", "www.example"} {
		if got := texts.NumberOfRaw([]byte(raw)); got != first {
			t.Errorf("%q has number %d, want %d", raw, got, first)
		}
	}
	escaped := texts.NumberOfRaw([]byte(`a\046b`))
	if dotted := texts.Number(`a\046b`); dotted == escaped {
		t.Errorf("a label with a dot has the number of one with a backslash: %q", texts.Text(escaped))
	}
	if got := texts.Text(texts.NumberOfALPN([]byte("\x02h2\x08http/1.1"))); got != "h2,http/1.1" {
		t.Errorf("protocols are %q", got)
	}
	if texts.Number("") != 0 || texts.NumberOfRaw(nil) != 0 || texts.Text(0) != "" {
		t.Error("nothing has a number")
	}
}

// TestTextsAreBounded: neither new names nor ever new spellings of one fill the memory.
func TestTextsAreBounded(t *testing.T) {
	var texts Texts
	known := texts.Number("known.example")
	for i := range maxTexts + 1000 {
		texts.Number(fmt.Sprint(i))
		spelling := []byte("known.example")
		for bit := range spelling {
			if i>>bit&1 == 1 {
				spelling[bit] &^= 0x20
			}
		}
		texts.NumberOfRaw(append(spelling, byte(i>>13), byte(i>>21)))
	}
	if shared := len(texts.shared.numbers); shared > maxTexts || len(texts.numbers) > maxTexts || texts.raw.short.length > maxTexts || len(texts.raw.long) > maxLong {
		t.Errorf("holds %d names, %d numbers, %d spellings", shared, len(texts.numbers), texts.raw.short.length)
	}
	if texts.Number("known.example") != known || texts.Number("past the bound") != 0 {
		t.Error("the first is forgotten or the last is kept")
	}
}

// TestTextsTwin: twins give one number for one name, also side by side, and what finds no room with one does with another.
func TestTextsTwin(t *testing.T) {
	var texts Texts
	const many = 3000
	name := func(i int) string { return fmt.Sprint("host", i, ".example") }
	var numbers [2][many]uint32
	var sides sync.WaitGroup
	for i, side := range []*Texts{&texts, texts.Twin()} {
		sides.Go(func() {
			for n := range many {
				numbers[i][n] = side.Number(name(n))
			}
		})
	}
	sides.Wait()
	for n := range many {
		if numbers[0][n] != numbers[1][n] || texts.Text(numbers[1][n]) != name(n) {
			t.Fatalf("%s has numbers %d and %d, which stand for %q", name(n), numbers[0][n], numbers[1][n], texts.Text(numbers[1][n]))
		}
	}
	for i := range maxTexts {
		texts.Number(fmt.Sprint("full", i))
	}
	twin := texts.Twin()
	if texts.Number("late.example") != 0 || twin.Text(twin.Number("late.example")) != "late.example" || texts.Number("late.example") != 0 {
		t.Error("what another twin is asked for decides what finds room")
	}
}
