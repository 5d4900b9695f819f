package names

import (
	"slices"
	"testing"
)

func TestIsAnswer(t *testing.T) {
	address := wireRecord("www.example", TypeA, 60, v4.AsSlice())
	answer := wireMessage(7, 0x8180, "www.example", TypeA, address)
	chaos := slices.Clone(address)
	chaos[len(wireName("www.example"))+3] = 3 // class CH
	tests := []struct {
		name string
		in   []byte
		want bool
	}{
		{"an address", answer, true},
		{"compressed names", []byte(recorded), true},
		{"with an OPT", func() []byte {
			b := append(slices.Clone(answer), 0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0)
			b[11] = 1
			return b
		}(), true},
		{"a query", wireMessage(7, 0x0100, "www.example", TypeA), false},
		{"no answers", wireMessage(7, 0x8180, "www.example", TypeA), false},
		{"no such name", wireMessage(7, 0x8183, "www.example", TypeA, address), false},
		{"no question", wireMessage(7, 0x8180, "", TypeA, address), false},
		{"another class", wireMessage(7, 0x8180, "www.example", TypeA, chaos), false},
		{"cut", answer[:len(answer)-1], false},
		{"more behind it", append(slices.Clone(answer), 0), false},
		{"nothing", nil, false},
	}
	for _, tt := range tests {
		if got := IsAnswer(tt.in); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	for cut := range recorded {
		if IsAnswer([]byte(recorded[:cut])) {
			t.Errorf("an answer of %d bytes of which %d are there is whole", len(recorded), cut)
		}
	}
}
