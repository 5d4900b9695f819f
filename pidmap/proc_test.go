package pidmap

import (
	"errors"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	tail := " S 41 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3"
	tests := []struct {
		name, in string
		want     procStat
		err      error
	}{
		{"plain", "7 (cat)" + tail, procStat{7, 41, "cat", 987654, 0}, nil},
		{"spaces", "7 (tmux: server)" + tail, procStat{7, 41, "tmux: server", 987654, 0}, nil},
		{"parentheses", "7 (a) S 1 (b)" + tail, procStat{7, 41, "a) S 1 (b", 987654, 0}, nil},
		{"newline and bare parenthesis", "7 (x)\n))" + tail + "\n", procStat{7, 41, "x)\n)", 987654, 0}, nil},
		{"empty name", "7 ()" + tail, procStat{7, 41, "", 987654, 0}, nil},
		{"stack", "7 (cat)" + tail + " 4 5 140728698051200 6", procStat{7, 41, "cat", 987654, 140728698051200}, nil},
		{"cut short", "7 (cat) S 41 7", procStat{}, ErrProcFile},
		{"no name", "7 cat S 41", procStat{}, ErrProcFile},
		{"no number", "x (cat)" + tail, procStat{}, ErrProcFile},
		{"parentheses swapped", "7 )cat(" + tail, procStat{}, ErrProcFile},
		{"empty", "", procStat{}, ErrProcFile},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat([]byte(tt.in))
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("parseStat(%q) = %+v, %v; want %+v, %v", tt.in, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParseStatusUID(t *testing.T) {
	tests := []struct {
		in   string
		want uint32
		err  error
	}{
		{"Name:\tUid: 5\nUmask:\t0022\nUid:\t1000\t0\t0\t0\nGid:\t7\n", 1000, nil},
		{"Uid:\t4294967295\t0\t0\t0\n", 4294967295, nil},
		{"Name:\tx\n", 0, ErrProcFile},
		{"Uid:\t-1\n", 0, ErrProcFile},
	}
	for _, tt := range tests {
		if got, err := parseStatusUID([]byte(tt.in)); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("parseStatusUID(%q) = %d, %v; want %d, %v", tt.in, got, err, tt.want, tt.err)
		}
	}
}

func TestStartTime(t *testing.T) {
	boot, err := parseBootTime([]byte("cpu  1 2 3\nintr 9\nbtime 1700000000\nprocesses 4\n"))
	if err != nil || boot != 1700000000e9 {
		t.Fatalf("boot = %d, %v; want 1700000000e9", boot, err)
	}
	if got, want := startTime(boot, 250), int64(1700000002.5e9); got != want {
		t.Errorf("started = %d, want %d", got, want)
	}
	if got := startTime(boot, 1<<63); got != 0 {
		t.Errorf("an absurd start = %d, want 0", got)
	}
	for _, in := range []string{"", "btime\n", "btime -4\n", "btime 99999999999999999999\n"} {
		if got, err := parseBootTime([]byte(in)); !errors.Is(err, ErrProcFile) {
			t.Errorf("parseBootTime(%q) = %d, %v; want ErrProcFile", in, got, err)
		}
	}
}

func TestParseSocketLink(t *testing.T) {
	tests := map[string]uint64{
		"socket:[48826]": 48826, "socket:[0]": 0, "socket:[]": 0, "socket:[7": 0, "pipe:[7]": 0,
		"/tmp/socket:[7]": 0, "socket:[-7]": 0, "": 0, "socket:[99999999999999999999999]": 0,
	}
	for in, want := range tests {
		if got, ok := parseSocketLink([]byte(in)); ok != (want != 0) || ok && got != want {
			t.Errorf("parseSocketLink(%q) = %d, %v; want %d", in, got, ok, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (a) S 1 (b) S 41 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2 3")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := parseStat([]byte(in))
		if err != nil && !errors.Is(err, ErrProcFile) {
			t.Fatalf("error %v does not wrap ErrProcFile", err)
		}
		if err == nil && !strings.Contains(in, "("+s.comm+")") {
			t.Fatalf("name %q is not in %q", s.comm, in)
		}
	})
}
