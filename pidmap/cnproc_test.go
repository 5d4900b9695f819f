package pidmap

import (
	"bufio"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func recordedConnector(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/cn_proc.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if name == "#" || !ok {
			continue
		}
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

func TestProcEventsRecorded(t *testing.T) {
	all := recordedConnector(t)
	tests := []struct {
		name string
		want procEvent
	}{
		{"answer", procEvent{what: procEventNone, boot: 0x334b29b6389}},
		{"fork", procEvent{what: procEventFork, pid: 26869, parent: 26828, boot: 0x334b29c194a}},
		{"exec", procEvent{what: procEventExec, pid: 26869, boot: 0x334b2cb5631}},
		{"exit", procEvent{what: procEventExit, pid: 26869, boot: 0x334b2d361fa}},
	}
	var together []byte
	var want []procEvent
	for _, tt := range tests {
		got, err := appendProcEvents(nil, all[tt.name])
		if err != nil || !slices.Equal(got, []procEvent{tt.want}) {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
		together, want = append(together, all[tt.name]...), append(want, tt.want)
	}
	got, err := appendProcEvents(nil, together)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("in one datagram: %+v, %v; want %+v", got, err, want)
	}
	if !slices.IsSortedFunc(got, func(a, b procEvent) int { return int(int64(a.boot) - int64(b.boot)) }) {
		t.Errorf("times are not in order: %+v", got)
	}
}

// A thread's end is no process's end.
func TestProcEventsOfThreads(t *testing.T) {
	all := recordedConnector(t)
	for _, name := range []string{"fork", "exit"} {
		b := slices.Clone(all[name])
		b[netlinkHeaderLen+connectorHeaderLen+procEventHeaderLen] ^= 0xff // process_pid, parent_pid
		b[netlinkHeaderLen+connectorHeaderLen+procEventHeaderLen+8] ^= 0xff
		if got, err := appendProcEvents(nil, b); len(got) != 0 || err != nil {
			t.Errorf("%s of a thread: %+v, %v; want nothing", name, got, err)
		}
	}
}

func TestListenRequest(t *testing.T) {
	got := hex.EncodeToString(appendListen(nil))
	want := "28000000030000000000000000000000" + "0100000001000000" + "0000000000000000" + "04000000" + "01000000"
	if got != want {
		t.Errorf("listen request = %s, want %s", got, want)
	}
}

func FuzzProcEvents(f *testing.F) {
	for _, b := range recordedConnector(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := appendProcEvents(nil, b)
		if err != nil && !errors.Is(err, ErrConnector) {
			t.Fatalf("error %v does not wrap ErrConnector", err)
		}
		if len(events)*(netlinkHeaderLen+connectorHeaderLen+procEventHeaderLen) > len(b) {
			t.Fatalf("%d events from %d bytes", len(events), len(b))
		}
	})
}
