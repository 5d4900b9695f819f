package bpf

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// recorded reads testdata/ring.hex: records as the programs of this commit wrote them on Linux 6.18 (amd64), one a line.
func recorded(t testing.TB) [][]byte {
	t.Helper()
	f, err := os.Open("testdata/ring.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var records [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		b, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b)
	}
	return records
}

// TestDecodeRecorded reads what a kernel wrote: a TCP exchange over IPv6, a UDP one, and a program's life.
func TestDecodeRecorded(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the records are little-endian")
	}
	kinds := map[Kind]int{}
	for i, b := range recorded(t) {
		e, err := Decode(b)
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		kinds[e.Kind]++
		check(t, e)
		if e.Kind == ProcessExec && !strings.HasPrefix(e.Path, "/") {
			t.Errorf("record %d: path %q, want an absolute one", i, e.Path)
		}
	}
	for k := SocketOpened; k <= ProcessExit; k++ {
		if kinds[k] == 0 {
			t.Errorf("no record of kind %d", k)
		}
	}
}

// TestDecodeDamaged feeds records that are cut or say what cannot be.
func TestDecodeDamaged(t *testing.T) {
	socket := make([]byte, socketBytes)
	socket[0], socket[socketTupleAt+36], socket[socketTupleAt+37] = byte(SocketUsed), 4, 6
	if e, err := Decode(socket); err != nil || e.Socket.Proto != 6 {
		t.Fatalf("got %+v, %v, want a TCP socket", e, err)
	}
	change := func(at int, to byte) []byte {
		b := append([]byte(nil), socket...)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"empty": {}, "no kind": change(0, 0), "unknown kind": change(0, 99), "cut": socket[:socketBytes-1],
		"family": change(socketTupleAt+36, 5), "protocol": change(socketTupleAt+37, 1),
		"short exec": append([]byte{byte(ProcessExec)}, make([]byte, processRecordBytes)...),
	} {
		if e, err := Decode(b); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: got %+v, %v, want ErrRecord", name, e, err)
		}
	}
}

// check is what holds of every event that Decode returns.
func check(t *testing.T, e Event) {
	t.Helper()
	switch e.Kind {
	case SocketOpened, SocketUsed, SocketClosed, SocketPeer:
		if s := e.Socket; !s.Local.Addr().IsValid() || s.Local.Addr().Is4() != s.Remote.Addr().Is4() || s.Proto != 6 && s.Proto != 17 {
			t.Errorf("socket %+v", s)
		}
	case ProcessExec:
		n := 0
		for _, word := range e.Cmdline {
			n += len(word)
		}
		if n > argumentBytes || len(e.Path) > components*componentBytes || len(e.Filename) > filenameBytes {
			t.Errorf("more than a record holds: %d, %d, %d", n, len(e.Path), len(e.Filename))
		}
	case ProcessFork, ProcessExit:
	default:
		t.Errorf("kind %d", e.Kind)
	}
	if len(e.Process.Name) > 16 {
		t.Errorf("name %q", e.Process.Name)
	}
}

// FuzzDecode finds no record that Decode takes and that check does not.
func FuzzDecode(f *testing.F) {
	for _, b := range recorded(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := Decode(b); err == nil {
			check(t, e)
		} else if !errors.Is(err, ErrRecord) {
			t.Errorf("got %v, want ErrRecord", err)
		}
	})
}
