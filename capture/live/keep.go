package live

import (
	"golang.org/x/net/bpf"

	"apptap/capture"
)

// Keep says how much of a frame is kept, below the snaplen.
type Keep uint8

// KeepWhole keeps whole frames. KeepHeaders keeps whatever may state a name and the headers of the rest: it is for
// reports, in which it changes nothing, and no good for recordings. It works where frames are Ethernet, cooked or
// bare IP; frames of other link types are kept whole.
const (
	KeepWhole Keep = iota
	KeepHeaders
)

const (
	// headerBytes holds every header that is decoded: Ethernet with a tag, IPv6, TCP with options (118), and a VXLAN
	// header with the frame in it up to TCP's (164).
	headerBytes = 192
	// smallFrame is up to where frames are kept whole without a look: they cost little, and the rest of a ClientHello
	// that did not fit one segment is among them. Every load below lies within it.
	smallFrame = 1024
)

// networkOffset is where the network layer begins in frames of a link type, without tags.
func networkOffset(t capture.LinkType) (uint32, bool) {
	switch t {
	case capture.LinkTypeEthernet:
		return 14, true
	case capture.LinkTypeLinuxSLL:
		return cookedHeader, true
	case capture.LinkTypeNull, capture.LinkTypeLoop:
		return 4, true
	case capture.LinkTypeRaw:
		return 0, true
	}
	return 0, false
}

// keepHeaders is a program that accepts every frame and returns how much of it is kept: snapLen bytes, or headerBytes
// of TCP segments and UDP datagrams that state no name. It has no state, so what tells them apart is the frame alone.
// What the name readers wait for (flows.Follower, flows/names) is kept whole:
//
//   - small frames; anything but TCP and UDP; fragments but the first; IPv6 with extension headers
//   - TCP: SYN, FIN, RST; port 53; whatever goes to a usual port of TLS or HTTP, because a ClientHello of several
//     segments is known by its first alone (to other ports the middle of one in three or more is lost, and the last
//     if it is no small frame); what looks like a TLS handshake, an HTTP request or a preamble of these
//   - UDP: ports of DNS, mDNS, LLMNR and NetBIOS names; QUIC's long headers; handshakes of DTLS
func keepHeaders(network uint32, ethernet bool, snapLen uint32) ([]bpf.RawInstruction, error) {
	a := assembly{base: network}
	a.add(bpf.LoadExtension{Num: bpf.ExtLen})
	a.jump(bpf.JumpLessOrEqual, smallFrame, "whole", "")
	a.add(bpf.LoadConstant{Dst: bpf.RegX, Val: 0})
	if ethernet {
		a.tags(network - 2)
	} else {
		a.versions()
	}
	a.internet()
	a.tcp()
	a.udp()
	a.label("headers")
	a.add(bpf.RetConstant{Val: min(headerBytes, snapLen)})
	a.label("whole")
	a.add(bpf.RetConstant{Val: snapLen})
	return a.assemble()
}

// tags leaves in X how far tags have moved the network layer and goes on at ipv4 or ipv6. The outermost tag is not in the frame
// where the kernel took it out; those inside are.
func (a *assembly) tags(kind uint32) {
	const most = 3
	for depth := range uint32(most) {
		a.add(bpf.LoadAbsolute{Off: kind + depth*tagBytes, Size: 2})
		a.jump(bpf.JumpEqual, 0x0800, "ipv4", "")
		a.jump(bpf.JumpEqual, 0x86dd, "ipv6", "")
		a.jump(bpf.JumpEqual, ethertypeVLAN, "tag"+string('0'+rune(depth)), "")
		a.jump(bpf.JumpEqual, 0x88a8, "", "whole")
		a.label("tag" + string('0'+rune(depth)))
		a.add(bpf.LoadConstant{Dst: bpf.RegX, Val: (depth + 1) * tagBytes})
	}
	a.jump(bpf.JumpEqual, 0, "whole", "whole")
}

// versions tells the IP versions apart where no ethertype does.
func (a *assembly) versions() {
	a.add(a.at(0, 1))
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	a.jump(bpf.JumpEqual, 4, "ipv4", "")
	a.jump(bpf.JumpEqual, 6, "ipv6", "whole")
}

// internet goes on at tcp or udp with X moved on to the transport header. M[0] holds the protocol meanwhile.
func (a *assembly) internet() {
	a.label("ipv4")
	a.add(a.at(6, 2))
	a.jump(bpf.JumpBitsSet, 0x1fff, "whole", "")
	a.add(a.at(9, 1), bpf.StoreScratch{Src: bpf.RegA, N: 0})
	a.add(a.at(0, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x0f}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2})
	a.jump(bpf.JumpGreaterOrEqual, 0, "transport", "transport")
	a.label("ipv6")
	a.add(a.at(6, 1), bpf.StoreScratch{Src: bpf.RegA, N: 0}, bpf.LoadConstant{Dst: bpf.RegA, Val: 40})
	a.label("transport")
	a.add(bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, bpf.LoadScratch{Dst: bpf.RegA, N: 0})
	a.jump(bpf.JumpEqual, 6, "tcp", "")
	a.jump(bpf.JumpEqual, 17, "udp", "whole")
}

func (a *assembly) tcp() {
	a.label("tcp")
	a.add(a.at(13, 1))
	a.jump(bpf.JumpBitsSet, 0x07, "whole", "")
	a.add(a.at(0, 2))
	a.oneOf("whole", 53)
	a.add(a.at(2, 2))
	a.oneOf("whole", 53, 80, 443, 465, 853, 993, 995, 3128, 5061, 5223, 5228, 8000, 8080, 8443, 8883, 9443)
	a.add(a.at(12, 1), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 2})
	a.add(bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{})
	a.add(a.at(0, 4))
	a.oneOf("whole", 0x0d0a0d0a, 0x00000008) // PROXY protocol, PostgreSQL's SSLRequest
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 8})
	a.oneOf("whole", 0x160300, 0x160301, 0x160302, 0x160303, 0x160304, 0x200000) // TLS; MySQL's SSLRequest
	a.add(bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 8})
	a.oneOf("whole", 0x1201) // SQL Server's PRELOGIN
	a.method()
}

// method keeps what begins with three capitals, or signs that stand among them in names of HTTP methods.
func (a *assembly) method() {
	for at, first := range [...]uint32{'A', '-', '-'} {
		a.add(a.at(uint32(at), 1))
		a.jump(bpf.JumpLessThan, first, "headers", "")
		a.jump(bpf.JumpGreaterThan, '_', "headers", "")
	}
	a.jump(bpf.JumpGreaterOrEqual, 0, "whole", "whole")
}

func (a *assembly) udp() {
	a.label("udp")
	for _, port := range [...]uint32{0, 2} {
		a.add(a.at(port, 2))
		a.oneOf("whole", 53, 137, 5353, 5355)
	}
	const payload = 8
	a.add(a.at(payload, 1))
	a.jump(bpf.JumpBitsSet, 0x80, "whole", "") // QUIC's long header
	a.oneOf("whole", 0x16)                     // DTLS
	for _, version := range [...]uint32{1, 9} {
		a.add(a.at(payload+version, 2))
		a.oneOf("whole", 'Q'<<8|'0') // Google's QUIC
	}
}
