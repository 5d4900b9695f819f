package libproc

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
)

// described is a socket as a test words it.
type described struct {
	proto         flows.Protocol
	family, vflag byte
	local, remote string // address and port; "" = unbound
	state         uint32
}

func (d described) fdinfo() []byte {
	b := make([]byte, SocketSize)
	u32 := binary.LittleEndian.PutUint32
	u32(b[180:], uint32(d.proto))
	u32(b[184:], uint32(d.family))
	u32(b[256:], map[flows.Protocol]uint32{flows.TCP: 2, flows.UDP: 1}[d.proto])
	b[264+24] = d.vflag
	binary.LittleEndian.PutUint64(b[272:], 99)
	d.put(b[264:], b[268:], b[296:312], b[312:328])
	u32(b[344:], d.state)
	return b
}

// put writes the endpoints: IPv4 addresses into the last four bytes.
func (d described) put(rport, lport, remote, local []byte) {
	for _, side := range []struct {
		text       string
		port, addr []byte
	}{{d.remote, rport, remote}, {d.local, lport, local}} {
		if side.text == "" {
			continue
		}
		a := netip.MustParseAddrPort(side.text)
		binary.BigEndian.PutUint16(side.port, a.Port())
		if a.Addr().Is4() && d.vflag&hasIPv6 == 0 {
			copy(side.addr[12:], a.Addr().AsSlice())
		} else {
			as16 := a.Addr().As16()
			copy(side.addr, as16[:])
		}
	}
}

func bound(proto flows.Protocol, local string) flows.Key {
	a := netip.MustParseAddrPort(local)
	k := flows.MakeKey(proto, a, a)
	k.Remote = flows.Endpoint{}
	return k
}

func tuple(proto flows.Protocol, local, remote string) flows.Key {
	return flows.MakeKey(proto, netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))
}

func TestDecodeSocket(t *testing.T) {
	tests := []struct {
		name string
		in   described
		want Socket
		ok   bool
	}{
		{"tcp4", described{flows.TCP, afInet, 1, "192.0.2.2:50000", "198.51.100.7:443", 4},
			Socket{Key: tuple(flows.TCP, "192.0.2.2:50000", "198.51.100.7:443"), State: 4}, true},
		{"tcp6", described{flows.TCP, afInet6, 2, "[2001:db8::1]:50000", "[2001:db8::2]:443", 4},
			Socket{Key: tuple(flows.TCP, "[2001:db8::1]:50000", "[2001:db8::2]:443"), State: 4}, true},
		{"IPv4 on an IPv6 socket", described{flows.TCP, afInet6, 1, "192.0.2.2:50000", "198.51.100.7:443", 4},
			Socket{Key: tuple(flows.TCP, "192.0.2.2:50000", "198.51.100.7:443"), State: 4}, true},
		{"mapped addresses", described{flows.UDP, afInet6, 2, "[::ffff:192.0.2.2]:50000", "[::ffff:198.51.100.7]:443", 0},
			Socket{Key: tuple(flows.UDP, "192.0.2.2:50000", "198.51.100.7:443")}, true},
		{"connected to a mapped address", described{flows.UDP, afInet6, 5, "192.0.2.2:50000", "198.51.100.7:443", 0},
			Socket{Key: tuple(flows.UDP, "192.0.2.2:50000", "198.51.100.7:443")}, true},
		{"of one link", described{flows.UDP, afInet6, 2, "[fe80:e::1]:50000", "[ff02:e::fb]:5353", 0},
			Socket{Key: tuple(flows.UDP, "[fe80::1]:50000", "[ff02::fb]:5353")}, true},
		{"of one interface", described{flows.UDP, afInet6, 2, "[fe80:e::1]:50000", "[ff01:e::1]:5353", 0},
			Socket{Key: tuple(flows.UDP, "[fe80::1]:50000", "[ff01::1]:5353")}, true},
		{"mapped, and gone", described{flows.UDP, afInet6, 4, "192.0.2.2:50000", "", 0}, Socket{}, false},
		{"listening on both families", described{flows.TCP, afInet6, 3, "[::]:8080", "", 1},
			Socket{Key: bound(flows.TCP, "[::]:8080"), State: 1, DualStack: true}, true},
		{"bound to both families, after a mapped address", described{flows.UDP, afInet6, 7, "[::]:5353", "", 0},
			Socket{Key: bound(flows.UDP, "[::]:5353"), DualStack: true}, true},
		{"udp4 bound", described{flows.UDP, afInet, 1, "0.0.0.0:5353", "", 0},
			Socket{Key: bound(flows.UDP, "0.0.0.0:5353")}, true},
		{"no port yet", described{flows.UDP, afInet, 1, "", "", 0}, Socket{}, false},
		{"unix", described{0, 1, 0, "", "", 0}, Socket{}, false},
		{"icmp", described{1, afInet, 1, "192.0.2.2:1", "", 0}, Socket{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok, err := DecodeSocket(test.in.fdinfo())
			if test.ok {
				test.want.Incarnation = 99
			}
			if diff := cmp.Diff(test.want, got); err != nil || ok != test.ok || diff != "" {
				t.Errorf("ok %v (want %v), %v; socket (-want +got):\n%s", ok, test.ok, err, diff)
			}
		})
	}
}

func TestDecodeSocketDrift(t *testing.T) {
	for name, d := range map[string]described{
		"state": {flows.TCP, afInet, 1, "192.0.2.2:1", "192.0.2.3:2", 11},
		"flags": {flows.TCP, afInet, 0x10, "192.0.2.2:1", "192.0.2.3:2", 4},
	} {
		if s, ok, err := DecodeSocket(d.fdinfo()); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: got %+v, %v, %v; want an error that wraps %v", name, s, ok, err, ErrLayout)
		}
	}
	if _, _, err := DecodeSocket(make([]byte, SocketSize-1)); !errors.Is(err, ErrLayout) {
		t.Errorf("short structure: got %v, want %v", err, ErrLayout)
	}
}

func TestProcesses(t *testing.T) {
	b := make([]byte, ProcessSize)
	binary.LittleEndian.PutUint32(b[12:], 512)
	binary.LittleEndian.PutUint32(b[16:], 1)
	binary.LittleEndian.PutUint32(b[20:], 501)
	copy(b[48:], "Google Chrome He")
	binary.LittleEndian.PutUint64(b[120:], 1_700_000_000)
	binary.LittleEndian.PutUint64(b[128:], 250_000)
	want := Process{PID: 512, PPID: 1, UID: 501, Name: "Google Chrome He", Start: 1_700_000_000_250_000}
	if got, err := DecodeProcess(b); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	copy(b[64:], "Google Chrome Helper (Renderer)")
	want.Name = "Google Chrome Helper (Renderer)"
	if got, err := DecodeProcess(b); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	s := make([]byte, ShortProcessSize)
	binary.LittleEndian.PutUint32(s, 77)
	binary.LittleEndian.PutUint32(s[4:], 1)
	copy(s[16:], "mDNSResponder")
	binary.LittleEndian.PutUint32(s[36:], 65)
	want = Process{PID: 77, PPID: 1, UID: 65, Name: "mDNSResponder"}
	if got, err := DecodeShortProcess(s); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestLists(t *testing.T) {
	b := []byte{3, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 1}
	if got := Sockets(nil, b); !cmp.Equal(got, []int32{7, 9}) {
		t.Errorf("sockets: got %v, want 7 and 9: a file and a channel are none", got)
	}
	if got := PIDs(nil, []byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 5}); !cmp.Equal(got, []int32{1, 258}) {
		t.Errorf("pids: got %v, want 1 and 258", got)
	}
}

// record is one record of a pcblist_n, padded to 8 bytes.
func record(kind uint32, size int, fill func(b []byte)) []byte {
	b := make([]byte, (size+7)&^7)
	binary.LittleEndian.PutUint32(b, uint32(size))
	binary.LittleEndian.PutUint32(b[4:], kind)
	if fill != nil {
		fill(b)
	}
	return b
}

func (d described) pcb(pid, effective, xsocket uint32) []byte {
	b := record(recordPCB, 104, func(b []byte) {
		b[44] = d.vflag
		binary.LittleEndian.PutUint64(b[28:], 99)
		d.put(b[16:], b[18:], b[48:64], b[64:80])
	})
	b = append(b, record(recordSocket, int(xsocket), func(b []byte) {
		binary.LittleEndian.PutUint32(b[64:], 501)
		binary.LittleEndian.PutUint32(b[68:], pid)
		binary.LittleEndian.PutUint32(b[72:], effective)
	})...)
	b = append(b, record(2, 40, nil)...)
	b = append(b, record(8, 136, nil)...)
	return append(b, record(recordTCP, 208, func(b []byte) { binary.LittleEndian.PutUint32(b[36:], d.state) })...)
}

func pcblist(sockets ...[]byte) []byte {
	generation := func(count byte) []byte { return append([]byte{headerSize, 0, 0, 0, count}, make([]byte, 19)...) }
	b := generation(byte(len(sockets)))
	for _, s := range sockets {
		b = append(b, s...)
	}
	return append(b, generation(byte(len(sockets)))...)
}

func TestAppendPCBs(t *testing.T) {
	v4 := described{flows.TCP, afInet, 1, "192.0.2.2:50000", "198.51.100.7:443", 4}
	v6 := described{flows.TCP, afInet6, 2, "[2001:db8::1]:50001", "[2001:db8::2]:443", 4}
	none := described{flows.TCP, afInet, 1, "", "", 0}
	b := pcblist(v4.pcb(321, 0, 76), none.pcb(7, 0, 104), v6.pcb(322, 600, 104))
	want := []Socket{
		{Key: tuple(flows.TCP, v4.local, v4.remote), State: 4, PID: 321, UID: 501, Incarnation: 99},
		{Key: tuple(flows.TCP, v6.local, v6.remote), State: 4, PID: 322, Effective: 600, UID: 501, Incarnation: 99},
	}
	got, err := AppendPCBs(nil, b, flows.TCP)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; sockets (-want +got):\n%s", err, diff)
	}
	odd := described{flows.TCP, afInet, 1, "192.0.2.2:50000", "198.51.100.7:443", 4711}
	want = []Socket{{Key: tuple(flows.TCP, odd.local, odd.remote), PID: 321, UID: 501, Incarnation: 99}}
	got, err = AppendPCBs(nil, pcblist(odd.pcb(321, 1<<30, 104)), flows.TCP)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("what a process wrote of its own flow: %v; sockets (-want +got):\n%s", err, diff)
	}
	mapped := described{flows.UDP, afInet6, 5, "192.0.2.2:50000", "198.51.100.7:443", 0}
	if got, err = AppendPCBs(nil, pcblist(mapped.pcb(321, 0, 104)), flows.UDP); err != nil || len(got) != 1 || got[0].Key != tuple(flows.UDP, mapped.local, mapped.remote) {
		t.Errorf("connected to a mapped address: got %v, %v", got, err)
	}
	gone := described{flows.UDP, afInet6, 4, "192.0.2.2:50000", "", 0}
	if got, err = AppendPCBs(nil, pcblist(gone.pcb(321, 0, 104)), flows.UDP); err != nil || len(got) > 0 {
		t.Errorf("mapped, and gone: got %v, %v", got, err)
	}
	for name, damaged := range map[string][]byte{
		"empty":  nil,
		"header": b[8:],
		"pid":    pcblist(v4.pcb(1<<20, 0, 76)),
		"length": append(append([]byte{}, b[:headerSize]...), 0xff, 0, 0, 0, recordPCB, 0, 0, 0),
	} {
		if got, err := AppendPCBs(nil, damaged, flows.TCP); !errors.Is(err, ErrLayout) || len(got) > 0 {
			t.Errorf("%s: got %v, %v; want an error that wraps %v", name, got, err, ErrLayout)
		}
	}
}

// FuzzSockets: whatever the bytes, sockets that are decoded have a local port and a plausible state.
func FuzzSockets(f *testing.F) {
	v4 := described{flows.TCP, afInet, 1, "192.0.2.2:50000", "198.51.100.7:443", 4}
	f.Add(v4.fdinfo())
	f.Add(pcblist(v4.pcb(321, 0, 76), v4.pcb(1, 2, 104)))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, _ := AppendPCBs(nil, b, flows.TCP)
		if s, ok, err := DecodeSocket(b); ok && err == nil {
			all = append(all, s)
		}
		if len(all) > len(b)/80+1 {
			t.Fatalf("%d sockets from %d bytes", len(all), len(b))
		}
		for _, s := range all {
			if s.Key.Local.Port == 0 || s.State < 0 || s.State > maxState || s.PID < 0 || s.PID > maxPID {
				t.Fatalf("implausible socket %+v", s)
			}
		}
		DecodeProcess(b)
		DecodeShortProcess(b)
		Sockets(nil, b)
		PIDs(nil, b)
	})
}

// FuzzProcess: a process that is read has a name that fits its field, a path is no longer than what it is in, and the records of a list
// lie within it.
func FuzzProcess(f *testing.F) {
	long := make([]byte, ProcessSize)
	binary.LittleEndian.PutUint32(long[12:], 402)
	copy(long[64:], "Google Chrome Helper (Renderer)")
	f.Add(long)
	f.Add(make([]byte, ShortProcessSize))
	v4 := described{flows.TCP, afInet, 1, "192.0.2.2:50000", "198.51.100.7:443", 4}
	f.Add(pcblist(v4.pcb(321, 0, 76), v4.pcb(1, 2, 104)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := DecodeProcess(b); err == nil && (len(p.Name) > 32 || len(b) < ProcessSize) {
			t.Fatalf("process %+v of %d bytes", p, len(b))
		}
		if p, err := DecodeShortProcess(b); err == nil && (len(p.Name) > 16 || len(b) < ShortProcessSize || p.Start != 0) {
			t.Fatalf("process %+v of %d bytes", p, len(b))
		}
		if path := Path(b); len(path) > len(b) || strings.ContainsRune(path, 0) {
			t.Fatalf("path %q of %d bytes", path, len(b))
		}
		for kind, size := range RecordSizes(b) {
			if size < 8 || size > len(b) {
				t.Fatalf("record of kind %d with %d bytes in a list of %d", kind, size, len(b))
			}
		}
		for _, pid := range PIDs(nil, b) {
			if pid <= 0 {
				t.Fatalf("process number %d", pid)
			}
		}
	})
}
