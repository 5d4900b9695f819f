package summarize

import (
	"testing"

	"apptap/flows"

	"github.com/google/go-cmp/cmp"
)

// rx and tx are readings in frames of 100 bytes.
func counters(rx, tx uint64) InterfaceCounters {
	return InterfaceCounters{RxPackets: rx, RxBytes: rx * 100, TxPackets: tx, TxBytes: tx * 100}
}

// sized are readings in frames of the lengths that are counted.
func sized(rx, rxLength, tx, txLength uint64) InterfaceCounters {
	return InterfaceCounters{RxPackets: rx, RxBytes: rx * rxLength, TxPackets: tx, TxBytes: tx * txLength}
}

// bare are 7 frames in and 3 out, counted with these lengths.
func bare(rxLength, txLength uint64) *InterfaceReadings {
	end := sized(7, rxLength, 3, txLength)
	return &InterfaceReadings{BeforeClose: end, AfterClose: end}
}

// segmented are that many frames each way of that many bytes in all.
func segmented(rx, tx, bytes uint64) *InterfaceReadings {
	end := InterfaceCounters{RxPackets: rx, RxBytes: bytes - tx*60, TxPackets: tx, TxBytes: tx * 60}
	return &InterfaceReadings{BeforeClose: end, AfterClose: end}
}

// super are four frames of two to three segments each.
var super = flows.SuperFrames{Packets: 4, Payload: 9 * 536, LeastHeader: 66, MostHeader: 66}

func TestInterfaceAudit(t *testing.T) {
	// 10 frames passed for certain (7 in, 3 out), 3 more at the edges.
	readings := &InterfaceReadings{BeforeOpen: counters(100, 50), AfterOpen: counters(101, 50), BeforeClose: counters(108, 53), AfterClose: counters(108, 55)}
	tight := &InterfaceReadings{BeforeOpen: counters(100, 50), AfterOpen: counters(100, 50), BeforeClose: counters(107, 53), AfterClose: counters(107, 53)}
	tests := []struct {
		name     string
		in       InterfaceInput
		filter   string
		captured uint64 // frames
		want     InterfaceAudit
		verdict  Verdict
	}{
		{name: "equal", in: InterfaceInput{Readings: tight}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000}, verdict: VerdictExact},
		{name: "loopback counts a frame twice", in: InterfaceInput{Readings: tight, Loopback: true}, captured: 7,
			want: InterfaceAudit{KernelPackets: 7, KernelBytes: 700}, verdict: VerdictExact},
		{name: "equal to the low bound", in: InterfaceInput{Readings: readings}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000}, verdict: VerdictExact},
		{name: "at the edge, nearer to the low bound", in: InterfaceInput{Readings: readings}, captured: 11,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, Causes: []Cause{{CauseWindowEdge, -100}}}, verdict: VerdictExplained},
		{name: "at the edge, nearer to the high bound", in: InterfaceInput{Readings: readings}, captured: 12,
			want: InterfaceAudit{KernelPackets: 13, KernelBytes: 1300, Causes: []Cause{{CauseWindowEdge, 100}}}, verdict: VerdictExplained},
		{name: "fewer, behind the last packet asked for", in: InterfaceInput{Readings: &InterfaceReadings{BeforeClose: counters(0, 0), AfterClose: counters(7, 3), Limited: true}}, captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, Causes: []Cause{{CausePacketLimit, 400}}}, verdict: VerdictExplained},
		{name: "most of them behind the last packet asked for", in: InterfaceInput{Readings: &InterfaceReadings{BeforeClose: counters(0, 0), AfterClose: counters(7, 3), Limited: true}}, captured: 2,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, Causes: []Cause{{CausePacketLimit, 800}}}, verdict: VerdictExplained},
		{name: "fewer, with drops", in: InterfaceInput{Readings: readings, DroppedKernel: 4}, captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, Causes: []Cause{{CauseCaptureDrop, 400}}}, verdict: VerdictExplained},
		{name: "fewer, with a filter", in: InterfaceInput{Readings: readings, Filter: "tcp"}, captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, FilteredOut: 400}, verdict: VerdictUnavailable},
		{name: "fewer, with the run's filter", in: InterfaceInput{Readings: readings}, filter: "tcp", captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, FilteredOut: 400}, verdict: VerdictUnavailable},
		{name: "fewer, with both", in: InterfaceInput{Readings: readings, DroppedInterface: 1, Filter: "tcp"}, captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, Causes: []Cause{{CauseFilteredOrDropped, 400}}}, verdict: VerdictUnavailable},
		{name: "fewer, with nothing", in: InterfaceInput{Readings: readings}, captured: 6,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1000, ResidualBytes: 400}, verdict: VerdictUnexplained},
		{name: "more than can be", in: InterfaceInput{Readings: readings, DroppedKernel: 1, Filter: "tcp"}, captured: 20,
			want: InterfaceAudit{KernelPackets: 13, KernelBytes: 1300, ResidualBytes: -700}, verdict: VerdictUnexplained},
		{name: "received without headers", in: InterfaceInput{Readings: bare(86, 100), LinkHeader: 14}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 902, Causes: []Cause{{CauseLinkHeader, -98}}}, verdict: VerdictExplained},
		{name: "sent without headers", in: InterfaceInput{Readings: bare(100, 86), LinkHeader: 14}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 958, Causes: []Cause{{CauseLinkHeader, -42}}}, verdict: VerdictExplained},
		{name: "both without headers", in: InterfaceInput{Readings: bare(86, 86), LinkHeader: 14}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 860, Causes: []Cause{{CauseLinkHeader, -140}}}, verdict: VerdictExplained},
		{name: "without headers, and some at the edge", in: InterfaceInput{Readings: &InterfaceReadings{
			AfterOpen: sized(1, 86, 0, 100), BeforeClose: sized(8, 86, 3, 100), AfterClose: sized(8, 86, 4, 100)}, LinkHeader: 14}, captured: 11,
			want:    InterfaceAudit{KernelPackets: 12, KernelBytes: 1088, Causes: []Cause{{CauseLinkHeader, -112}, {CauseWindowEdge, 100}}},
			verdict: VerdictExplained},
		{name: "a byte less than headers", in: InterfaceInput{Readings: bare(85, 100), LinkHeader: 14}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 895, ResidualBytes: -105}, verdict: VerdictUnexplained},
		{name: "headers without a header", in: InterfaceInput{Readings: bare(86, 100)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 902, ResidualBytes: -98}, verdict: VerdictUnexplained},
		{name: "a frame more, as long as the headers", in: InterfaceInput{Readings: bare(86, 100), LinkHeader: 14}, captured: 11,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 902, ResidualBytes: -198}, verdict: VerdictUnexplained},
		{name: "tags beside some frames", in: InterfaceInput{Readings: bare(98, 100), Tagged: 7}, captured: 10, // 14 bytes: no whole tags
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 986, ResidualBytes: -14}, verdict: VerdictUnexplained},
		{name: "tags beside all frames", in: InterfaceInput{Readings: bare(96, 100), Tagged: 7}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 972, Causes: []Cause{{CauseVLANTag, -28}}}, verdict: VerdictExplained},
		{name: "tags beside all frames, and a long one at the edge", in: InterfaceInput{Readings: &InterfaceReadings{
			BeforeClose: sized(7, 96, 3, 100), AfterClose: sized(7, 96, 4, 100)}, Tagged: 7}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 972, Causes: []Cause{{CauseVLANTag, -28}}}, verdict: VerdictExplained},
		{name: "tags beside all frames, and a short one at the edge", in: InterfaceInput{Readings: &InterfaceReadings{
			BeforeClose: sized(7, 96, 3, 100), AfterClose: InterfaceCounters{RxPackets: 8, RxBytes: 7*96 + 20, TxPackets: 3, TxBytes: 300}}, Tagged: 7}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 972, Causes: []Cause{{CauseVLANTag, -28}}}, verdict: VerdictExplained},
		{name: "other bytes of as many frames, and one at the edge", in: InterfaceInput{Readings: &InterfaceReadings{
			BeforeClose: sized(7, 97, 3, 100), AfterClose: sized(7, 97, 4, 100)}}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 979, Causes: []Cause{{CauseWindowEdge, -21}}}, verdict: VerdictExplained},
		{name: "more tags than there were", in: InterfaceInput{Readings: bare(96, 100), Tagged: 6}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 972, ResidualBytes: -28}, verdict: VerdictUnexplained},
		{name: "received with FCS", in: InterfaceInput{Readings: bare(104, 100)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1028, Causes: []Cause{{CauseFCS, 28}}}, verdict: VerdictExplained},
		{name: "both with FCS", in: InterfaceInput{Readings: bare(104, 104)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1040, Causes: []Cause{{CauseFCS, 40}}}, verdict: VerdictExplained},
		{name: "sent with FCS", in: InterfaceInput{Readings: bare(100, 104)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1012, Causes: []Cause{{CauseFCS, 12}}}, verdict: VerdictExplained},
		{name: "a byte more than FCS", in: InterfaceInput{Readings: bare(105, 100)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 10, KernelBytes: 1035, ResidualBytes: 35}, verdict: VerdictUnexplained},
		{name: "segments counted, super-frames captured", in: InterfaceInput{Readings: segmented(12, 4, 1000+6*66), Super: super}, captured: 10,
			want: InterfaceAudit{KernelPackets: 16, KernelBytes: 1396, Causes: []Cause{{CauseSuperFrames, 396}}}, verdict: VerdictExplained},
		{name: "segments counted with FCS", in: InterfaceInput{Readings: segmented(12, 4, 1000+6*66+16*4), Super: super}, captured: 10,
			want: InterfaceAudit{KernelPackets: 16, KernelBytes: 1460, Causes: []Cause{{CauseSuperFrames, 396}, {CauseFCS, 64}}}, verdict: VerdictExplained},
		{name: "segments counted without link headers", in: InterfaceInput{Readings: segmented(12, 4, 1000+6*66-12*14), Super: super, LinkHeader: 14}, captured: 10,
			want: InterfaceAudit{KernelPackets: 16, KernelBytes: 1228, Causes: []Cause{{CauseSuperFrames, 396}, {CauseLinkHeader, -168}}}, verdict: VerdictExplained},
		{name: "more segments than there is payload for", in: InterfaceInput{Readings: segmented(16, 4, 1000+10*66), Super: super}, captured: 10,
			want: InterfaceAudit{KernelPackets: 20, KernelBytes: 1660, ResidualBytes: 660}, verdict: VerdictUnexplained},
		{name: "segments without headers", in: InterfaceInput{Readings: segmented(12, 4, 1000+6*65), Super: super}, captured: 10,
			want: InterfaceAudit{KernelPackets: 16, KernelBytes: 1390, ResidualBytes: 390}, verdict: VerdictUnexplained},
		{name: "segments of no super-frame", in: InterfaceInput{Readings: segmented(12, 4, 1000+6*66)}, captured: 10,
			want: InterfaceAudit{KernelPackets: 16, KernelBytes: 1396, ResidualBytes: 396}, verdict: VerdictUnexplained},
		{name: "none read", captured: 6, want: InterfaceAudit{Unavailable: "its counters were not read"}, verdict: VerdictUnavailable},
		{name: "empty readings", in: InterfaceInput{Readings: &InterfaceReadings{}}, captured: 6,
			want: InterfaceAudit{Unavailable: "its counters were not read"}, verdict: VerdictUnavailable},
		{name: "never had a packet", in: InterfaceInput{Readings: &InterfaceReadings{}}, verdict: VerdictExact},
		{name: "unavailable", in: InterfaceInput{Readings: &InterfaceReadings{Unavailable: "any is no interface"}}, captured: 6,
			want: InterfaceAudit{Unavailable: "any is no interface"}, verdict: VerdictUnavailable},
		{name: "packets without bytes", in: InterfaceInput{Readings: &InterfaceReadings{BeforeClose: InterfaceCounters{RxPackets: 6}, AfterClose: InterfaceCounters{RxPackets: 6}}}, captured: 6,
			want: InterfaceAudit{Unavailable: "its driver counts packets and no bytes"}, verdict: VerdictUnavailable},
		{name: "backwards", in: InterfaceInput{Readings: &InterfaceReadings{BeforeOpen: counters(9, 9), AfterOpen: counters(9, 9), BeforeClose: counters(0, 1), AfterClose: counters(0, 1)}}, captured: 6,
			want: InterfaceAudit{Unavailable: "its counters went backwards: they are 32 bits wide, or it was made anew"}, verdict: VerdictUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.Name, tt.in.CapturedPackets, tt.in.CapturedBytes = "eth0", tt.captured, tt.captured*100
			tt.want.Name, tt.want.CapturedPackets, tt.want.CapturedBytes = "eth0", tt.captured, tt.captured*100
			tt.want.DroppedKernel, tt.want.DroppedInterface = tt.in.DroppedKernel, tt.in.DroppedInterface
			audit := Build(Input{Interfaces: []InterfaceInput{tt.in}, Live: true, Filter: tt.filter}).Audit
			if diff := cmp.Diff([]InterfaceAudit{tt.want}, audit.Interfaces); diff != "" {
				t.Errorf("interface (-want +got):\n%s", diff)
			}
			if audit.Verdict != tt.verdict {
				t.Errorf("verdict = %s, want %s", audit.Verdict, tt.verdict)
			}
		})
	}
}

func TestInterfaceOfFile(t *testing.T) {
	got := Build(Input{Interfaces: []InterfaceInput{{Name: "b", CapturedBytes: 1}, {Name: "a", CapturedBytes: 1}, {Name: "c", CapturedBytes: 2}}}).Audit.Interfaces
	why := "a file has no kernel counters"
	want := []InterfaceAudit{{Name: "c", CapturedBytes: 2, Unavailable: why}, {Name: "a", CapturedBytes: 1, Unavailable: why}, {Name: "b", CapturedBytes: 1, Unavailable: why}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
}

// A filter takes whatever an interface lacks: that is no agreement, and no disagreement with flows that were checked.
func TestFilteredInterfaceIsNoCheck(t *testing.T) {
	readings := &InterfaceReadings{AfterOpen: counters(0, 0), BeforeClose: counters(10, 0), AfterClose: counters(10, 0)}
	in := Input{Live: true, Filter: "tcp port 443", Interfaces: []InterfaceInput{{Name: "eth0", Readings: readings, CapturedPackets: 6, CapturedBytes: 600}}}
	tests := []struct {
		name  string
		flows []flows.Flow
		sent  uint64
		want  Verdict
	}{
		{"no flow", nil, 1100, VerdictUnavailable},
		{"a flow that is exact", []flows.Flow{whole()}, 1100, VerdictExact},
		{"a flow that is not", []flows.Flow{whole()}, 1101, VerdictUnexplained},
	}
	for _, tt := range tests {
		in.Flows = tt.flows
		in.Sockets = []SocketCounters{with(reading(AtClose, 210), func(c *SocketCounters) { c.BytesSent = tt.sent })}
		if got := Build(in).Audit; got.Verdict != tt.want || got.Interfaces[0].FilteredOut != 400 {
			t.Errorf("%s: verdict %s, %d B filtered out, want %s, 400", tt.name, got.Verdict, got.Interfaces[0].FilteredOut, tt.want)
		}
	}
}
