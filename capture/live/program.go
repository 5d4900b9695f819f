package live

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/bpf"

	"apptap/capture"
)

// Classes, modes and fields of classic BPF codes (linux/bpf_common.h), as far as programs are changed here.
const (
	classMask = 0x07
	classLD   = 0x00
	classLDX  = 0x01
	classRET  = 0x06
	modeMask  = 0xe0
	modeABS   = 0x20
	modeIND   = 0x40
	modeLEN   = 0x80
	modeMSH   = 0xa0
	returnA   = 0x10 // RET of the accumulator, not of K
	jumpOver  = 0x05 // JMP|JA

	maxProgram = 4096 // BPF_MAXINSNS

	ancillary        = 0xfffff000 // SKF_AD_OFF
	ancillaryKind    = ancillary + 4
	ancillaryNetwork = ancillary + 0 // the protocol
)

// kernelProgram is what c's expression and c.Keep are for a packet socket on an interface of linkType.
func kernelProgram(c Config, linkType capture.LinkType) ([]bpf.RawInstruction, error) {
	var program []bpf.RawInstruction
	if c.Filter != "" {
		if err := onlyOpenHandle(c.Filter); err != nil {
			return nil, err
		}
		compiled, err := compileProgram(linkType, c.SnapLen, c.Filter)
		if err != nil {
			return nil, err
		}
		program = compiled
	}
	if linkType == capture.LinkTypeLinuxSLL {
		if err := uncook(program); err != nil {
			return nil, fmt.Errorf("filter %q: %w", c.Filter, err)
		}
		linkType = capture.LinkTypeRaw // the socket's frames begin with the network layer
	}
	return withKeeping(program, c, linkType)
}

// onlyOpenHandle refuses expressions that mean something else to the kernel than to a file: it has taken VLAN tags
// out of the frame, and knows directions and interfaces.
func onlyOpenHandle(expr string) error {
	for _, t := range filterTokens(expr) {
		switch word := t.text(expr); word {
		case "vlan", "inbound", "outbound", "ifindex":
			return fmt.Errorf("filter %q: the ring reader leaves %q to libpcap: %w", expr, word, errors.ErrUnsupported)
		}
	}
	return nil
}

// uncook moves the loads of a program for LINKTYPE_LINUX_SLL to where a cooked socket has the same: it has no header,
// but tells of its fields (libpcap's pcap-linux.c, fix_offset).
func uncook(program []bpf.RawInstruction) error {
	for i := range program {
		in := &program[i]
		class, mode := in.Op&classMask, in.Op&modeMask
		if class > classLDX {
			continue
		}
		switch {
		case mode == modeLEN:
			return fmt.Errorf("the length of a cooked packet: %w", errors.ErrUnsupported)
		case mode != modeABS && mode != modeIND && mode != modeMSH:
			continue
		case in.K >= cookedHeader:
			in.K -= cookedHeader
		case in.K == 0 && mode == modeABS:
			in.K = ancillaryKind
		case in.K == cookedHeader-2 && mode == modeABS:
			in.K = ancillaryNetwork
		default:
			return fmt.Errorf("byte %d of a cooked packet's header: %w", in.K, errors.ErrUnsupported)
		}
	}
	return nil
}

// withKeeping ends program, which may be nil for every packet, in what decides how much of an accepted frame is kept.
func withKeeping(program []bpf.RawInstruction, c Config, linkType capture.LinkType) ([]bpf.RawInstruction, error) {
	tail := []bpf.RawInstruction{{Op: classRET, K: uint32(c.SnapLen)}}
	if begin, ok := networkOffset(linkType); ok && c.Keep == KeepHeaders {
		assembled, err := keepHeaders(begin, linkType == capture.LinkTypeEthernet, uint32(c.SnapLen))
		if err != nil {
			return nil, fmt.Errorf("assemble filter: %w", err)
		}
		tail = assembled
	}
	joined := join(program, tail)
	if len(joined) > maxProgram {
		return nil, fmt.Errorf("filter of %d instructions, the kernel takes %d: %s", len(joined), maxProgram, strings.TrimSpace(c.Filter))
	}
	return joined, nil
}

// join makes every acceptance of program go on with tail. Jumps in BPF only go forward, so tail is the end.
func join(program, tail []bpf.RawInstruction) []bpf.RawInstruction {
	joined := make([]bpf.RawInstruction, 0, len(program)+len(tail))
	for i, in := range program {
		if in.Op&classMask == classRET && in.Op&returnA == 0 && in.K != 0 {
			in = bpf.RawInstruction{Op: jumpOver, K: uint32(len(program) - i - 1)}
		}
		joined = append(joined, in)
	}
	return append(joined, tail...)
}
