package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
)

// ErrRecord says that a record of the ring does not read as record.h says.
var ErrRecord = errors.New("damaged record")

// Sizes and places in bytes of the structs in record.h; TestLayout holds them against the object's own types.
const (
	processBytes       = 56
	tupleBytes         = 40
	socketTupleAt      = 32
	socketProcessAt    = socketTupleAt + tupleBytes
	socketCountersAt   = socketProcessAt + processBytes
	socketBytes        = socketCountersAt + 6*8
	datagramsBytes     = socketBytes + (Interfaces+1)*interfaceBytes + Interfaces*4 + 8 + 7*8
	processRecordBytes = 16 + processBytes + 16
	filenameBytes      = 256
	argumentBytes      = 512
	components         = 20
	componentBytes     = 64
	execBytes          = processRecordBytes + filenameBytes + argumentBytes + components*componentBytes
)

// Flags of a socket record.
const (
	flagListening = 1 << iota
	flagKernel
	flagShared
	flagFinTaken
	flagCounted
	flagV6Only
	flagAccepted
	flagFirst
)

// Decode reads one record of the ring.
func Decode(b []byte) (Event, error) {
	if len(b) == 0 {
		return Event{}, fmt.Errorf("read record: %w: it is empty", ErrRecord)
	}
	kind := Kind(b[0])
	want := 0
	switch kind {
	case SocketOpened, SocketUsed, SocketClosed, SocketPeer:
		want = socketBytes
	case socketDatagrams, SocketCounted:
		want = datagramsBytes
	case ProcessFork, ProcessExit:
		want = processRecordBytes
	case ProcessExec:
		want = execBytes
	default:
		return Event{}, fmt.Errorf("read record: %w: kind %d", ErrRecord, kind)
	}
	if len(b) < want {
		return Event{}, fmt.Errorf("read record: %w: kind %d of %d bytes, want %d", ErrRecord, kind, len(b), want)
	}
	switch want {
	case socketBytes:
		return decodeSocket(kind, b)
	case datagramsBytes:
		if kind == socketDatagrams {
			kind = SocketClosed
		}
		e, err := decodeSocket(kind, b)
		e.Datagrams = decodeDatagrams(b[socketBytes:])
		return e, err
	}
	return decodeProcessRecord(kind, b), nil
}

func decodeSocket(kind Kind, b []byte) (Event, error) {
	flags := b[1]
	e := Event{Kind: kind, Time: u64(b[8:]), Process: decodeProcess(b[socketProcessAt:])}
	s := &e.Socket
	s.NetNS, s.Cookie, s.Created = u32(b[4:]), u64(b[16:]), u64(b[24:])
	if err := s.decodeTuple(b[socketTupleAt:socketProcessAt]); err != nil {
		return Event{}, err
	}
	s.Listening, s.Kernel, s.Shared = flags&flagListening != 0, flags&flagKernel != 0, flags&flagShared != 0
	s.FinTaken, s.Counted, s.Accepted = flags&flagFinTaken != 0, flags&flagCounted != 0, flags&flagAccepted != 0
	s.First, s.Multipath = flags&flagFirst != 0, b[2] != 0
	s.DualStack = flags&flagV6Only == 0 && s.Remote.Port() == 0 && s.Local.Addr() == netip.IPv6Unspecified()
	c := b[socketCountersAt:]
	s.Tx, s.Rx, s.Sent, s.Retrans, s.Received, s.Over = u64(c), u64(c[8:]), u64(c[16:]), u64(c[24:]), u64(c[32:]), u64(c[40:])
	return e, nil
}

func (s *Socket) decodeTuple(b []byte) error {
	family, proto := b[36], b[37]
	if proto != 6 && proto != 17 {
		return fmt.Errorf("read record: %w: protocol %d", ErrRecord, proto)
	}
	addr := func(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])) }
	if family == 4 {
		addr = func(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }
	} else if family != 6 {
		return fmt.Errorf("read record: %w: address family %d", ErrRecord, family)
	}
	s.Proto = proto
	s.Local = netip.AddrPortFrom(addr(b), binary.NativeEndian.Uint16(b[32:]))
	s.Remote = netip.AddrPortFrom(addr(b[16:]), binary.NativeEndian.Uint16(b[34:]))
	return nil
}

func decodeProcess(b []byte) Process {
	return Process{
		User:   User{PID: int32(u32(b[24:])), Start: u64(b), Exec: u64(b[16:])},
		Cgroup: u64(b[8:]), PPID: int32(u32(b[28:])), UID: u32(b[32:]), Kernel: u32(b[36:]) != 0, Name: text(b[40:56]),
	}
}

func decodeProcessRecord(kind Kind, b []byte) Event {
	e := Event{Kind: kind, Time: u64(b[8:]), Process: decodeProcess(b[16:])}
	if kind == ProcessFork {
		e.ParentStart, e.Parent = u64(b[16+processBytes:]), int32(u32(b[24+processBytes:]))
	}
	if kind != ProcessExec {
		return e
	}
	names := int(binary.NativeEndian.Uint16(b[2:]))
	arguments := min(int(u32(b[4:])), argumentBytes)
	b = b[processRecordBytes:execBytes]
	e.Filename = text(b[:filenameBytes])
	e.Cmdline = words(b[filenameBytes : filenameBytes+arguments])
	e.Path = joined(b[filenameBytes+argumentBytes:], names)
	return e
}

// joined is the path of which b has the names, leaf first.
func joined(b []byte, names int) string {
	if names == 0 || names > components {
		return ""
	}
	parts := make([]string, 0, names)
	for i := range names {
		parts = append(parts, text(b[i*componentBytes:(i+1)*componentBytes]))
	}
	slices.Reverse(parts)
	return "/" + path.Join(parts...)
}

// words splits what execve(2) left of the arguments: each ends in a zero byte, but the last may have been cut.
func words(b []byte) []string {
	var all []string
	for len(b) > 0 {
		word, rest, _ := bytes.Cut(b, []byte{0})
		all = append(all, string(word))
		b = rest
	}
	return all
}

// text is a C string in a field of fixed size.
func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

func u32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
