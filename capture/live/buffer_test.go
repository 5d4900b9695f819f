package live

import "testing"

func TestBufferBytes(t *testing.T) {
	const gigabit, mebi, gibi = 1_000_000_000, 1 << 20, 1 << 30
	tests := []struct {
		name          string
		memory, speed uint64
		want          int
	}{
		{name: "nothing known", want: 32 * mebi},
		{name: "home", memory: 16 * gibi, speed: gigabit, want: 32 * mebi},
		{name: "10 Gbit/s", memory: 16 * gibi, speed: 10 * gigabit, want: 59 * mebi},
		{name: "100 Gbit/s", memory: 256 * gibi, speed: 100 * gigabit, want: 256 * mebi},
		{name: "fast, small", memory: 2 * gibi, speed: 10 * gigabit, want: 32 * mebi},
		{name: "small board", memory: gibi / 2, speed: gigabit, want: 8 * mebi},
		{name: "tiny", memory: 32 * mebi, speed: gigabit, want: 2 * mebi},
	}
	for _, tt := range tests {
		if got := bufferBytes(tt.memory, tt.speed); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestParseSpeed(t *testing.T) {
	for text, want := range map[string]uint64{"10000\n": 10_000_000_000, "-1\n": 0, "": 0, "x": 0, "99999999999999999999": 0} {
		if got := parseSpeed(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

// TestMakeDo: what is asked for after a device could not be opened.
func TestMakeDo(t *testing.T) {
	const short = "Cannot allocate memory"
	all := Config{Promiscuous: true, BufferBytes: 32 << 20}
	for _, tt := range []struct {
		words string
		asked Config
		less  Config
		ok    bool
	}{
		{wordsNoPromiscuous, all, Config{BufferBytes: 32 << 20}, true},
		{wordsNoPromiscuous, Config{BufferBytes: 32 << 20}, Config{}, false},
		{short, all, Config{Promiscuous: true, BufferBytes: 16 << 20}, true},
		{wordsDenied, all, Config{}, false},
	} {
		less, ok := tt.asked.makeDo(tt.words)
		if ok != tt.ok || ok && (less.Promiscuous != tt.less.Promiscuous || less.BufferBytes != tt.less.BufferBytes) {
			t.Errorf("%q for %+v: got %+v, %v; want %+v, %v", tt.words, tt.asked, less, ok, tt.less, tt.ok)
		}
	}
}

// TestLessBuffer: the words are those of pcap-bpf.c's bpf_bind, with strerror(3)'s of a Mac.
func TestLessBuffer(t *testing.T) {
	for _, tt := range []struct {
		words string
		bytes int
		less  int
		ok    bool
	}{
		{"The requested buffer size for en0 is too large: No buffer space available", 32 << 20, 16 << 20, true},
		{"The requested buffer size for en0 is too large", 32 << 20, 16 << 20, true},
		{"BIOCSBLEN: en0: No buffer space available", 32 << 20, 16 << 20, true},
		{"Binding interface en0 to BPF device failed: Cannot allocate memory", 1 << 20, 512 << 10, true},
		{"Binding interface en0 to BPF device failed: Cannot allocate memory", 512 << 10, 0, false},
		{"No Such Device", 32 << 20, 0, false},
		{"Permission Denied", 32 << 20, 0, false},
	} {
		if less, ok := lessBuffer(tt.words, tt.bytes); ok != tt.ok || ok && less != tt.less {
			t.Errorf("%q with %d bytes: got %d, %v; want %d, %v", tt.words, tt.bytes, less, ok, tt.less, tt.ok)
		}
	}
}
