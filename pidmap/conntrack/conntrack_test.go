package conntrack

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"apptap/pidmap/nlsocket"
)

// recorded reads datagrams of a kernel that masquerades 10.88.0.2 and fd88::2, and translates its port 80 to 10.88.0.2:8080.
func recorded(t testing.TB, file string) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(text)) {
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func say(e Entry) string {
	text := e.Original.String() + ", answered " + e.Reply.String()
	if e.Ended {
		text += ", ended"
	}
	return text
}

func TestAppend(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the recordings are of a little-endian machine")
	}
	tests := []struct {
		file string
		done bool
		want []string
	}{
		{"testdata/dump.hex", true, []string{ // and one of the host's own, which is not translated
			"tcp 10.77.0.2:40930 -> 10.77.0.1:80, answered tcp 10.88.0.2:8080 -> 10.77.0.2:40930",
			"tcp [fd88::2]:56530 -> [fd77::2]:7001, answered tcp [fd77::2]:7001 -> [fd77::1]:56530",
			"tcp 10.88.0.2:44928 -> 10.77.0.2:7001, answered tcp 10.77.0.2:7001 -> 10.77.0.1:44928",
		}},
		{"testdata/events.hex", false, []string{
			"udp 10.88.0.2:51990 -> 10.77.0.2:7003, answered udp 10.77.0.2:7003 -> 10.77.0.1:51990",
			"udp 10.88.0.2:51990 -> 10.77.0.2:7003, answered udp 10.77.0.2:7003 -> 10.77.0.1:51990, ended",
		}},
	}
	for _, tt := range tests {
		var list []Entry
		var done bool
		for _, b := range recorded(t, tt.file) {
			var err error
			if list, done, err = Append(list, b); err != nil {
				t.Errorf("%s: %v", tt.file, err)
			}
		}
		var got []string
		for _, e := range list {
			got = append(got, say(e))
		}
		if !slices.Equal(got, tt.want) || done != tt.done {
			t.Errorf("%s: got %q, done %v, want %q, %v", tt.file, got, done, tt.want, tt.done)
		}
	}
}

// message is a netlink message.
func message(kind uint16, body ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(nlsocket.HeaderLen+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	return append(append(b, make([]byte, nlsocket.HeaderLen-6)...), body...)
}

func TestAppendRefuses(t *testing.T) {
	refused := binary.NativeEndian.AppendUint32(nil, ^uint32(syscall.EPERM)+1)
	tests := []struct {
		name     string
		datagram []byte
		want     error
	}{
		{"no rights", message(nlsocket.KindError, refused...), syscall.EPERM},
		{"half a header", make([]byte, nlsocket.HeaderLen-1), nlsocket.ErrMessage},
		{"longer than it is", message(nlsocket.KindDone)[:nlsocket.HeaderLen-1], nlsocket.ErrMessage},
		{"length 0", make([]byte, nlsocket.HeaderLen), nlsocket.ErrMessage},
		{"no family", message(typeNew, 0, 0), nlsocket.ErrMessage},
		{"attribute that is longer than it is", message(typeNew, 0, 0, 0, 0, 9, 0, 1, 0), nlsocket.ErrMessage},
		{"short error", message(nlsocket.KindError), nlsocket.ErrMessage},
		{"acknowledged", message(nlsocket.KindError, 0, 0, 0, 0), nil},
		{"nothing in it", message(typeNew, 0, 0, 0, 0), nil},
		{"of another kind", message(77, 1), nil},
	}
	for _, tt := range tests {
		list, _, err := Append(nil, tt.datagram)
		if !errors.Is(err, tt.want) || len(list) > 0 {
			t.Errorf("%s: got %v, %v, want %v", tt.name, list, err, tt.want)
		}
	}
}

// TestZones passes over what a zone has for itself.
func TestZones(t *testing.T) {
	b := recorded(t, "testdata/events.hex")[0]
	zone := []byte{6, 0, attrZone, 0, 0, 7, 0, 0}
	b = append(slices.Clone(b), zone...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	if list, _, err := Append(nil, b); len(list) > 0 || err != nil {
		t.Errorf("got %v, %v, want nothing", list, err)
	}
}

// FuzzAppend demands that what is told is a translation of one protocol with ports, and that messages add up.
func FuzzAppend(f *testing.F) {
	for _, file := range []string{"testdata/dump.hex", "testdata/events.hex"} {
		for _, b := range recorded(f, file) {
			f.Add(b)
		}
	}
	f.Add(message(nlsocket.KindError, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, done, err := Append(nil, b)
		for _, e := range list {
			if e.Original == e.Reply.Reverse() || e.Original.Proto != e.Reply.Proto || e.Original.Local.Port == 0 || e.Reply.Remote.Port == 0 {
				t.Errorf("told of %v, which is no translation", say(e))
			}
		}
		if done || err != nil {
			return
		}
		twice, _, err := Append(slices.Clone(list), b)
		if err != nil || !slices.Equal(twice, append(list, list...)) {
			t.Errorf("read twice: %v, %v, once %v", twice, err, list)
		}
	})
}
