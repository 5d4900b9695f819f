package ntstat

import (
	"encoding/binary"
	"fmt"

	"apptap/flows"
)

// Flow is what the kernel says of a flow.
type Flow struct {
	Ref      uint64 // the kernel's number of it, never used again until reboot
	Provider Provider
	// Key is local -> remote; sides that are not known yet are zero, an unconnected UDP socket has no remote side.
	Key       flows.Key
	PID       int32
	Effective int32  // on whose behalf PID acts, 0 = nobody's but its own
	UniqueID  uint64 // of the process, never used again until reboot; 0 = not told
	// EffectiveID is that of Effective; 0 = not told, as of user space networking.
	EffectiveID uint64
	Name        string // of the process, up to 63 bytes
	Interface   uint32 // index, 0 = none yet
	State       uint32 // TCP: enum of netinet/tcp_fsm.h; 0 for others
	// Age is how long the flow had been there when the kernel told of it, in ticks of its clock (sysctl hw.tbfrequency a second: 24 million on
	// Apple's processors); 0 = not told.
	Age       uint64
	Counts    Counts
	HasCounts bool // a Descriptor has none
}

// Counts are counters since the flow began: of TCP segments' and UDP datagrams' payload, retransmissions and duplicates
// included; segments without payload are counted as packets alone.
type Counts struct {
	RxPackets, RxBytes, TxPackets, TxBytes uint64
	RxDuplicate, TxRetransmitted           uint32 // bytes of TCP payload
}

const (
	countsAt, countsSize = 32, 112
	descriptorKindAt     = 32 // provider, in a Descriptor
	updateKindAt         = countsAt + countsSize
	providerSize         = 8 // with padding
)

// Decode reads a Descriptor or Update message. Its error wraps ErrLayout where the message has a layout that is not known,
// and then no later message can be believed either.
func Decode(m Message) (Flow, error) {
	at := descriptorKindAt
	switch m.Kind {
	case Update:
		at = updateKindAt
	case Descriptor:
	default:
		return Flow{}, fmt.Errorf("read flow: message of type %d describes none", m.Kind)
	}
	if len(m.Body) < at+providerSize {
		return Flow{}, drift("message of type %d has %d bytes", m.Kind, len(m.Body))
	}
	f := Flow{Ref: m.Ref(), Provider: Provider(binary.LittleEndian.Uint32(m.Body[at:]))}
	if !f.Provider.known() {
		return Flow{}, drift("provider %d was not asked for", f.Provider)
	}
	if m.Kind == Update {
		f.Counts, f.HasCounts = counts(m.Body[countsAt:updateKindAt]), true
	}
	return f, f.describe(m.Body[at+providerSize:])
}

// DecodeCounters reads a Counters message.
func DecodeCounters(m Message) (Counts, error) {
	if m.Kind != Counters || len(m.Body) < countsAt+countsSize {
		return Counts{}, drift("counters in a message of type %d with %d bytes", m.Kind, len(m.Body))
	}
	return counts(m.Body[countsAt:]), nil
}

// counts reads struct nstat_counts.
func counts(b []byte) Counts {
	u64, u32 := binary.LittleEndian.Uint64, binary.LittleEndian.Uint32
	return Counts{
		RxPackets: u64(b), RxBytes: u64(b[8:]), TxPackets: u64(b[16:]), TxBytes: u64(b[24:]),
		RxDuplicate: u32(b[80:]), TxRetransmitted: u32(b[88:]),
	}
}

func drift(format string, args ...any) error {
	return fmt.Errorf("read flow: %s: %w", fmt.Sprintf(format, args...), ErrLayout)
}
