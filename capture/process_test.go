package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
)

// ngProcess is a process block as Apple's libpcap writes it.
func ngProcess(o appender, pid uint32, options ...[]byte) []byte {
	return ngBlock(o, 0x80000001, append(o.AppendUint32(nil, pid), bytes.Join(options, nil)...))
}

// ngOwned is a packet with options.
func ngOwned(o appender, iface uint32, options ...[]byte) []byte {
	data := frame(61) // padded to 64
	b := o.AppendUint32(nil, iface)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, 61)
	b = o.AppendUint32(b, 61)
	b = append(b, data...)
	b = append(b, 0, 0, 0)
	return ngBlock(o, 6, append(b, bytes.Join(options, nil)...))
}

func number(o appender, code uint16, value uint32) []byte {
	return ngOption(o, code, o.AppendUint32(nil, value))
}

// said is an Owner without its pointers.
type said struct {
	Process, Effective string
	PID                int32 // whom the packet is for
	Outgoing, Header   bool
	Sideless           bool
	Dialect            capture.Dialect
}

func saidBy(o *capture.Owner) *said {
	if o == nil {
		return nil
	}
	s := &said{PID: o.For().PID, Outgoing: o.Outgoing, Header: o.Header, Sideless: o.Sideless, Dialect: o.Dialect}
	if o.Process != nil {
		s.Process = o.Process.Name + o.Process.Path
	}
	if o.Effective != nil {
		s.Effective = o.Effective.Name + o.Effective.Path
	}
	return s
}

func TestProcessBlocks(t *testing.T) {
	for _, big := range []bool{false, true} {
		o := order(big)
		const process, effective, flags = 0x8001, 0x8003, 2
		in, out := number(o, flags, 1), number(o, flags, 2)
		file := bytes.Join([][]byte{
			ngSection(o), ngInterface(o, 1, 0),
			ngOwned(o, 0, number(o, process, 0), out), // before its block
			ngProcess(o, 100, ngOption(o, 2, []byte("nsurlsessiond\x00"))),
			ngBlock(o, 0x80000001, nil),                 // nobody, and yet number 1
			ngBlock(o, 0x80000001, make([]byte, 20000)), // likewise number 2
			ngProcess(o, 200, ngOption(o, 2, []byte("Music")), ngOption(o, 3, []byte("/M"))),
			ngOwned(o, 0, number(o, process, 0), in),
			ngOwned(o, 0, number(o, process, 0), number(o, effective, 3), out),
			ngOwned(o, 0, number(o, effective, 3), in),
			ngOwned(o, 0, number(o, process, 1), out),
			ngOwned(o, 0, number(o, process, 2), out),
			ngOwned(o, 0, number(o, process, 4), out),
			ngOwned(o, 0, number(o, process, 0)), // at which end?
			ngPacket(o, 0, 0, frame(60), 60),
			ngSection(o), ngInterface(o, 1, 0),
			ngOwned(o, 0, number(o, process, 0), out), // another section's number
		}, nil)
		want := []*said{
			nil,
			{Process: "nsurlsessiond", PID: 100},
			{Process: "nsurlsessiond", Effective: "Music/M", PID: 200, Outgoing: true},
			{Effective: "Music/M", PID: 200},
			nil, nil, nil,
			{Process: "nsurlsessiond", PID: 100, Sideless: true},
			nil, nil,
		}
		if diff := cmp.Diff(want, owners(t, bytes.NewReader(file))); diff != "" {
			t.Errorf("big endian %v: owners (-want +got):\n%s", big, diff)
		}
	}
}

func owners(t *testing.T, file io.Reader) (all []*said) {
	t.Helper()
	source, err := capture.NewReader(file, "test")
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	var headers capture.HeaderOwners
	for {
		switch err := source.Next(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, saidBy(headers.Of(&p)))
	}
}

// TestProcessesMerge: blocks that repeat a process are that process, and a PID that was used again is another one.
func TestProcessesMerge(t *testing.T) {
	o := order(false)
	uuid := func(n byte) []byte { return ngOption(o, 4, bytes.Repeat([]byte{n}, 16)) }
	name := ngOption(o, 2, []byte("curl"))
	file := bytes.Join([][]byte{
		ngSection(o), ngInterface(o, 1, 0),
		ngProcess(o, 7, name, uuid(1)), ngProcess(o, 7, name), ngProcess(o, 7, name, uuid(1)),
		ngProcess(o, 7, name, uuid(2)), ngProcess(o, 7, ngOption(o, 2, []byte("ssh"))), ngProcess(o, 8, name),
	}, nil)
	for i := range uint32(6) {
		file = append(file, ngOwned(o, 0, number(o, 0x8001, i), number(o, 2, 2))...)
	}
	source, err := capture.NewReader(bytes.NewReader(file), "test")
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[*capture.Process]int{}
	var got []int
	var p capture.Packet
	for source.Next(&p) == nil {
		n, ok := numbers[p.Owner.Process]
		if !ok {
			n = len(numbers)
			numbers[p.Owner.Process] = n
		}
		got = append(got, n)
	}
	if want := []int{0, 0, 0, 1, 2, 3}; !cmp.Equal(got, want) {
		t.Errorf("processes by their blocks: got %v, want %v", got, want)
	}
}

// pktap1 is a header of version 1, and the frame behind it.
func pktap1(length int, flags uint32, pid, effective int32, name, effectiveName string) []byte {
	b := make([]byte, length, length+60)
	u32 := binary.LittleEndian.PutUint32
	u32(b, uint32(length))
	u32(b[4:], 1)
	u32(b[8:], 1)
	u32(b[36:], flags)
	u32(b[52:], uint32(pid))
	copy(b[56:73], name)
	u32(b[84:], uint32(effective))
	copy(b[88:105], effectiveName)
	return append(b, frame(60)...)
}

// pktap2 is a header of version 2: both names stand behind the fixed part.
func pktap2(flags uint32, pid, effective int32, name, effectiveName string) []byte {
	b := make([]byte, 40)
	u32 := binary.LittleEndian.PutUint32
	b[6] = 1
	u32(b[28:], uint32(pid))
	u32(b[32:], uint32(effective))
	u32(b[36:], flags|1<<19)
	for at, text := range map[int]string{4: name, 5: effectiveName} {
		if text != "" {
			b[at] = byte(len(b))
			b = append(append(b, text...), 0)
		}
	}
	b[0] = byte(len(b))
	return append(b, frame(60)...)
}

func TestHeaderOwners(t *testing.T) {
	tests := []struct {
		name string
		link capture.LinkType
		data []byte
		want *said
	}{
		{"v1 out", 258, pktap1(156, 2, 512, -1, "mDNSResponder", ""), &said{Process: "mDNSResponder", PID: 512, Outgoing: true, Header: true}},
		{"v1 in for another", 149, pktap1(108, 1, 77, 300, "nsurlsessiond", "Music"),
			&said{Process: "nsurlsessiond", Effective: "Music", PID: 300, Header: true}},
		{"v1 nobody", 258, pktap1(156, 1, -1, -1, "", ""), nil},
		{"v1 kernel", 258, pktap1(156, 2, 0, -1, "kernel_task", ""), &said{Process: "kernel_task", Outgoing: true, Header: true}},
		{"v1 both ways", 258, pktap1(156, 3, 512, -1, "x", ""), nil},
		{"v1 no way", 258, pktap1(156, 0, 512, -1, "x", ""), nil},
		{"v1 name of 16 bytes", 258, pktap1(156, 2, 5, -1, "Google Chrome He", ""), &said{Process: "Google Chrome He", PID: 5, Outgoing: true, Header: true}},
		{"v1 cut", 258, pktap1(156, 2, 512, -1, "x", "")[:120], nil},
		{"somebody else's 149", 149, append(make([]byte, 36), bytes.Repeat([]byte{2}, 100)...), nil},
		{"v2 out", 258, pktap2(2, 512, -1, "Safari", ""), &said{Process: "Safari", PID: 512, Outgoing: true, Header: true}},
		{"v2 in for another", 149, pktap2(1, 77, 300, "com.apple.WebKit", "Safari"),
			&said{Process: "com.apple.WebKit", Effective: "Safari", PID: 300, Header: true}},
		{"v2 without names", 258, pktap2(2, 512, -1, "", ""), &said{PID: 512, Outgoing: true, Header: true}},
		{"v2 cut", 258, pktap2(2, 512, -1, "Safari", "")[:44], nil},
		{"ethernet", 1, pktap1(156, 2, 512, -1, "x", ""), nil},
		{"short", 258, make([]byte, 39), nil},
	}
	var headers capture.HeaderOwners
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := saidBy(headers.Of(&capture.Packet{LinkType: test.link, Data: test.data}))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("owner (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProcessesOfMac reads captures that a Mac wrote.
func TestProcessesOfMac(t *testing.T) {
	for name, want := range map[string]map[string]int{
		"appl-5054b7-radar-88502733.pcapng": {"packetdrill": 3, "": 1},
		"appl-e6d0ca-radar-74957353.pcapng": {"network_test": 176, "kernel_task for network_test": 9, "": 12},
	} {
		f, err := os.Open(filepath.Join(corpus, "captures", name))
		if err != nil {
			t.Skipf("the corpus is not here: %v", err)
		}
		defer f.Close()
		got := map[string]int{}
		for _, s := range owners(t, f) {
			switch {
			case s == nil:
				got[""]++
			case s.Effective == "" || s.Effective == s.Process:
				got[s.Process]++
			default:
				got[s.Process+" for "+s.Effective]++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: packets by process (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzHeaderOwners: an owner has somebody to be for, with a name as long as a header can hold.
func FuzzHeaderOwners(f *testing.F) {
	f.Add(uint16(258), pktap1(156, 2, 512, -1, "mDNSResponder", ""))
	f.Add(uint16(149), pktap2(1, 77, 300, "com.apple.WebKit", "Safari"))
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		var headers capture.HeaderOwners
		owner := headers.Of(&capture.Packet{LinkType: capture.LinkType(link), Data: data})
		if owner == nil {
			return
		}
		if p := owner.For(); p == nil || p.PID < 0 || len(p.Name) > 17 {
			t.Fatalf("owner %+v for %+v", owner, p)
		}
	})
}
