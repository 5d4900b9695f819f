//go:build cgo

package live

/*
#cgo LDFLAGS: -lpcap
#include <stdlib.h>
#include <pcap.h>
*/
import "C"

import (
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"

	"apptap/capture"
)

// Filter is a compiled filter expression, for packets of one link type. It is not safe for concurrent
// use.
type Filter struct {
	linkType capture.LinkType
	program  *C.struct_bpf_program // C's memory, freed when the Filter is collected
	header   C.struct_pcap_pkthdr  // here so that no packet allocates one
}

// CompileFilter compiles a pcap-filter(7) expression for packets from a file. snapLen is what a match
// lets through, in bytes; 0 means DefaultSnapLen. Its error is a *FilterError where the expression is
// wrong. libpcap looks host names up while it compiles.
//
// It calls libpcap itself because gopacket's LinkType has 8 bits: it cannot compile for SLL2 or PKTAP.
func CompileFilter(linkType capture.LinkType, snapLen int, expr string) (*Filter, error) {
	if snapLen <= 0 {
		snapLen = DefaultSnapLen
	}
	program, words := compileFor(linkType, snapLen, expr)
	if program == nil {
		return nil, newFilterError(expr, words, func(try string) error {
			return tryCompile(linkType, snapLen, try)
		})
	}
	f := &Filter{linkType: linkType, program: program}
	runtime.AddCleanup(f, freeProgram, program)
	return f, nil
}

// Match reports whether the filter lets p through. A packet of another link type never matches.
func (f *Filter) Match(p *capture.Packet) bool {
	if p.LinkType != f.linkType {
		return false
	}
	var first *C.u_char
	if len(p.Data) > 0 {
		first = (*C.u_char)(unsafe.Pointer(&p.Data[0]))
	}
	f.header.caplen, f.header.len = C.bpf_u_int32(len(p.Data)), C.bpf_u_int32(p.Length)
	return C.pcap_offline_filter(f.program, &f.header, first) != 0
}

// compileProgram compiles an expression into instructions for a socket. Its error is a *FilterError.
func compileProgram(linkType capture.LinkType, snapLen int, expr string) ([]bpf.RawInstruction, error) {
	f, err := CompileFilter(linkType, snapLen, expr)
	if err != nil {
		return nil, err
	}
	compiled := unsafe.Slice(f.program.bf_insns, f.program.bf_len)
	program := make([]bpf.RawInstruction, len(compiled))
	for i, in := range compiled {
		program[i] = bpf.RawInstruction{Op: uint16(in.code), Jt: uint8(in.jt), Jf: uint8(in.jf), K: uint32(in.k)}
	}
	runtime.KeepAlive(f)
	return program, nil
}

func tryCompile(linkType capture.LinkType, snapLen int, expr string) error {
	program, words := compileFor(linkType, snapLen, expr)
	if program == nil {
		return &FilterError{Expr: expr, Words: words}
	}
	freeProgram(program)
	return nil
}

// compileFor returns a program, or nil and libpcap's words.
func compileFor(linkType capture.LinkType, snapLen int, expr string) (*C.struct_bpf_program, string) {
	dead := C.pcap_open_dead(dltOf(linkType), C.int(min(snapLen, 1<<31-1)))
	if dead == nil {
		return nil, "out of memory"
	}
	defer C.pcap_close(dead)
	text := C.CString(expr)
	defer C.free(unsafe.Pointer(text))
	program := (*C.struct_bpf_program)(C.calloc(1, C.sizeof_struct_bpf_program))
	if C.pcap_compile(dead, program, text, 1, C.PCAP_NETMASK_UNKNOWN) != 0 {
		C.free(unsafe.Pointer(program))
		return nil, C.GoString(C.pcap_geterr(dead))
	}
	return program, ""
}

func freeProgram(program *C.struct_bpf_program) {
	C.pcap_freecode(program)
	C.free(unsafe.Pointer(program))
}

// dltOf is the inverse of capture.LinkType.Canonical: libpcap's functions speak DLT_ numbers, and raw
// IP is the one whose number depends on the operating system.
func dltOf(t capture.LinkType) C.int {
	if t == capture.LinkTypeRaw {
		return C.DLT_RAW
	}
	return C.int(t)
}
