package live

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"apptap/capture"
	"apptap/fixtures"
)

// machine is the program for a link type in x/net/bpf's VM.
func machine(t testing.TB, user []bpf.RawInstruction, c Config, linkType capture.LinkType) *bpf.VM {
	t.Helper()
	program, err := withKeeping(user, c, linkType)
	if err != nil {
		t.Fatal(err)
	}
	code, all := bpf.Disassemble(program)
	if !all {
		t.Fatal("the program cannot be disassembled")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// TestKeepHeaders runs the program over frames of every link type, IP version and number of tags.
func TestKeepHeaders(t *testing.T) {
	const whole, headers = 2000, headerBytes
	bulk := bytes.Repeat([]byte{0x00, 0x01, 0xfe}, 420)
	after := func(start string) []byte { return append([]byte(start), bulk...) }
	port := func(n uint16) [2]uint16 { return [2]uint16{51000, n} }
	back := func(n uint16) [2]uint16 { return [2]uint16{n, 51000} }
	type shape struct {
		name    string
		proto   string
		ports   [2]uint16
		flags   string
		payload []byte
		want    int
	}
	shapes := []shape{
		{"bulk", "tcp", back(443), "A", bulk, headers},
		{"small", "tcp", back(443), "A", bulk[:900], whole},
		{"to a port of TLS", "tcp", port(443), "A", bulk, whole},
		{"elsewhere", "tcp", port(5001), "A", bulk, headers},
		{"data with FIN", "tcp", port(5001), "FA", bulk, whole},
		{"fast open", "tcp", port(5001), "S", bulk, whole},
		{"DNS", "tcp", back(53), "A", bulk, whole},
		{"ClientHello", "tcp", port(9000), "A", after("\x16\x03\x01\x02\x00\x01"), whole},
		{"TLS data", "tcp", port(9000), "A", after("\x17\x03\x03\x40\x00"), headers},
		{"request", "tcp", port(9000), "A", after("GET / HTTP/1.1\r\n"), whole},
		{"request of a long method", "tcp", port(9000), "A", after("M-SEARCH * HTTP/1.1\r\n"), whole},
		{"HTTP/2", "tcp", port(9000), "A", after("PRI * HTTP/2.0\r\n"), whole},
		{"text", "tcp", port(9000), "A", after("Getting"), headers},
		{"PROXY 1", "tcp", port(9000), "A", after("PROXY TCP4"), whole},
		{"PROXY 2", "tcp", port(9000), "A", after("\r\n\r\n\x00\r\nQUIT\n"), whole},
		{"PostgreSQL", "tcp", port(5432), "A", after("\x00\x00\x00\x08\x04\xd2\x16\x2f"), whole},
		{"MySQL", "tcp", port(3306), "A", after("\x20\x00\x00\x01"), whole},
		{"SQL Server", "tcp", port(1433), "A", after("\x12\x01"), whole},

		{"datagrams", "udp", port(5001), "", bulk, headers},
		{"QUIC data", "udp", port(443), "", after("\x40"), headers},
		{"QUIC Initial", "udp", port(443), "", after("\xc0\x00\x00\x00\x01"), whole},
		{"Google's QUIC", "udp", port(443), "", after("\x0d12345678Q043"), whole},
		{"Google's QUIC without connection ID", "udp", port(443), "", after("\x01Q043"), whole},
		{"DTLS handshake", "udp", port(4433), "", after("\x16\xfe\xfd"), whole},
		{"DTLS data", "udp", port(4433), "", after("\x17\xfe\xfd"), headers},
		{"DNS answer", "udp", back(53), "", bulk, whole},
		{"mDNS", "udp", port(5353), "", bulk, whole},
	}
	links := []struct {
		name    string
		link    capture.LinkType
		options []fixtures.Option
		whole   bool // whatever the frame is
	}{
		{name: "Ethernet", link: capture.LinkTypeEthernet},
		{name: "tag", link: capture.LinkTypeEthernet, options: []fixtures.Option{fixtures.VLAN(5)}},
		{name: "two tags", link: capture.LinkTypeEthernet, options: []fixtures.Option{fixtures.VLAN(5, 6)}},
		{name: "many tags", link: capture.LinkTypeEthernet, options: []fixtures.Option{fixtures.VLAN(5, 6, 7, 8)}, whole: true},
		{name: "cooked", link: capture.LinkTypeLinuxSLL},
		{name: "raw", link: capture.LinkTypeRaw},
		{name: "null", link: capture.LinkTypeNull},
		{name: "unknown to the program", link: capture.LinkTypeLinuxSLL2, whole: true},
	}
	for _, l := range links {
		vm := machine(t, nil, Config{SnapLen: whole, Keep: KeepHeaders}, l.link)
		for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
			for _, s := range shapes {
				t.Run(l.name+" "+host+" "+s.name, func(t *testing.T) {
					src, dst := netip.AddrPortFrom(netip.MustParseAddr(host), s.ports[0]), netip.AddrPortFrom(netip.MustParseAddr(host).Next(), s.ports[1])
					options := append([]fixtures.Option{fixtures.Link(l.link)}, l.options...)
					frame := fixtures.UDP(src, dst, s.payload, options...)
					if s.proto == "tcp" {
						frame = fixtures.TCP(src, dst, s.flags, 1, 1, s.payload, append(options, fixtures.TCPOptions(make([]byte, 12)))...)
					}
					want := s.want
					if l.whole {
						want = whole
					}
					if got, err := vm.Run(frame); err != nil || got != want {
						t.Errorf("got %d bytes kept (%v), want %d", got, err, want)
					}
				})
			}
		}
	}
}

// TestKeepHeadersOthers are frames whose transport header is not where it usually is, or not there.
func TestKeepHeadersOthers(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("[2001:db8::1]:5000")
	bulk := make([]byte, 1300)
	fragments := fixtures.UDPFragments(1280, four, four, make([]byte, 3000))
	fragments6 := fixtures.UDPFragments(1280, six, six, make([]byte, 3000))
	tests := []struct {
		name  string
		frame []byte
		want  int
	}{
		{"first fragment", fragments[0], headerBytes},
		{"later fragment", fragments[1], 2000},
		{"fragment of IPv6", fragments6[0], 2000},
		{"IPv4 options", fixtures.UDP(four, four, bulk, fixtures.IPv4Options(make([]byte, 40))), headerBytes},
		{"IPv6 extension", fixtures.UDP(six, six, bulk, fixtures.HopByHop()), 2000},
		{"ARP", append(make([]byte, 12), append([]byte{8, 6}, bulk...)...), 2000},
		{"other protocol", append(append(make([]byte, 12), 8, 0, 0x45, 0, 5, 0, 0, 0, 0, 0, 64, 47), bulk...), 2000},
		{"no header length", append(append(make([]byte, 12), 8, 0, 0x40, 0, 5, 0, 0, 0, 0, 0, 64, 6), bytes.Repeat([]byte{0xf0}, 1300)...), headerBytes},
		{"empty", nil, 2000},
		{"cut", fixtures.UDP(four, four, bulk)[:20], 2000},
	}
	vm := machine(t, nil, Config{SnapLen: 2000, Keep: KeepHeaders}, capture.LinkTypeEthernet)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := vm.Run(tt.frame); err != nil || got != tt.want {
				t.Errorf("got %d bytes kept (%v), want %d", got, err, tt.want)
			}
		})
	}
}

// TestKeepSnapLen: the user's snaplen cuts headers too, and a program is set in any case.
func TestKeepSnapLen(t *testing.T) {
	frame := fixtures.UDP(netip.MustParseAddrPort("192.0.2.1:5000"), netip.MustParseAddrPort("192.0.2.2:5000"), make([]byte, 1300))
	for _, keep := range []Keep{KeepWhole, KeepHeaders} {
		vm := machine(t, nil, Config{SnapLen: 96, Keep: keep}, capture.LinkTypeEthernet)
		if got, err := vm.Run(frame); err != nil || got != 96 {
			t.Errorf("keep %d: got %d bytes kept (%v), want 96", keep, got, err)
		}
	}
}

// TestJoin: what an expression rejects is rejected, what it accepts is kept as the second program says.
func TestJoin(t *testing.T) {
	user, err := bpf.Assemble([]bpf.Instruction{ // the first byte must be 2, or the second 3
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 2, SkipFalse: 1},
		bpf.RetConstant{Val: 262144},
		bpf.LoadAbsolute{Off: 1, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 3, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 262144},
	})
	if err != nil {
		t.Fatal(err)
	}
	vm := machine(t, user, Config{SnapLen: 77}, capture.LinkTypeEthernet)
	for _, tt := range []struct {
		frame []byte
		want  int
	}{{[]byte{2, 0}, 77}, {[]byte{0, 3}, 77}, {[]byte{0, 0}, 0}, {[]byte{3, 2}, 0}} {
		if got, err := vm.Run(tt.frame); err != nil || got != tt.want {
			t.Errorf("%x: got %d (%v), want %d", tt.frame, got, err, tt.want)
		}
	}
	if _, err := withKeeping(make([]bpf.RawInstruction, maxProgram), Config{SnapLen: 77}, capture.LinkTypeEthernet); err == nil {
		t.Error("no error for a program that is too long")
	}
}

// TestUncook moves loads, and refuses those of header fields that a cooked socket does not tell.
func TestUncook(t *testing.T) {
	load := func(op uint16, k uint32) bpf.RawInstruction { return bpf.RawInstruction{Op: op, K: k} }
	const half, index, header, length = 0x28, 0x48, 0xb1, 0x80
	tests := []struct {
		in   bpf.RawInstruction
		want uint32
		ok   bool
	}{
		{load(half, 16+6), 6, true},
		{load(index, 16+2), 2, true},
		{load(header, 16), 0, true},
		{load(half, 14), ancillaryNetwork, true},
		{load(half, 0), ancillaryKind, true},
		{load(classRET, 5), 5, true},
		{load(half, 2), 0, false},
		{load(index, 14), 0, false},
		{load(length, 0), 0, false},
	}
	for _, tt := range tests {
		program := []bpf.RawInstruction{tt.in}
		err := uncook(program)
		if (err == nil) != tt.ok || tt.ok && program[0].K != tt.want {
			t.Errorf("%+v: got %+v, %v; want K %d, accepted %v", tt.in, program[0], err, tt.want, tt.ok)
		}
	}
}
