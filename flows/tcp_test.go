package flows_test

import (
	"testing"

	"apptap/fixtures"
	"apptap/flows"
)

// step is a segment: who sent it ('c' or 's'), flags, sequence and acknowledgement number, payload length.
type step struct {
	who      byte
	flags    string
	seq, ack uint32
	length   int
}

func segmentsOf(steps []step) (frames [][]byte) {
	for _, s := range steps {
		src, dst := host4, peer4
		if s.who == 's' {
			src, dst = dst, src
		}
		frames = append(frames, fixtures.TCP(src, dst, s.flags, s.seq, s.ack, make([]byte, s.length)))
	}
	return frames
}

// TestTCPAccounting: segments a millisecond apart, and what they make of one flow, client's figures first.
func TestTCPAccounting(t *testing.T) {
	const top = ^uint32(0)
	tests := []struct {
		name                             string
		steps                            []step
		txPay, rxPay, txStream, rxStream uint64
		txAgain, rxAgain, txGap, rxGap   uint64
		end                              flows.End
		initiator                        flows.Initiator
	}{
		{"Fast Open (RFC 7413 §4.2)", []step{{'c', "S", 9, 0, 100}, {'s', "SA", 50, 110, 0}, {'s', "PA", 51, 110, 30}, {'c', "PA", 110, 81, 5}},
			105, 30, 105, 30, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorLocal},
		{"Fast Open refused, data sent again (RFC 7413 §4.1.3)", []step{{'c', "S", 9, 0, 100}, {'s', "SA", 50, 10, 0}, {'c', "PA", 10, 51, 100}},
			200, 0, 100, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorLocal},
		{"sequence numbers wrap (RFC 9293 §3.4)", []step{{'c', "S", top - 9, 0, 0}, {'c', "A", top - 8, 1, 20}, {'c', "A", 11, 1, 20}, {'c', "A", top - 8, 1, 20}},
			60, 0, 40, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorLocal},
		{"keep-alives with and without a byte (RFC 9293 §3.8.4)", []step{{'c', "A", 100, 1, 10}, {'c', "A", 109, 1, 0}, {'c', "A", 109, 1, 1}, {'s', "A", 1, 110, 0}},
			11, 0, 10, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"overlap and hole filled within 3 ms", []step{{'c', "A", 0, 1, 10}, {'c', "A", 20, 1, 10}, {'c', "A", 10, 1, 10}, {'c', "A", 25, 1, 10}},
			40, 0, 35, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"joined midway, earlier bytes come later", []step{{'s', "A", 1000, 1, 10}, {'s', "A", 990, 1, 10}, {'s', "A", 970, 1, 10}},
			0, 30, 0, 30, 0, 0, 0, 10, flows.EndOpen, flows.InitiatorUnknown},
		{"lost before the tap", []step{{'c', "A", 1, 1, 10}, {'c', "A", 111, 1, 10}},
			20, 0, 20, 0, 0, 0, 100, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"simultaneous open (RFC 9293 figure 7)", []step{{'s', "S", 300, 0, 0}, {'c', "S", 100, 0, 0}, {'c', "SA", 100, 301, 0}, {'s', "SA", 300, 101, 0}, {'c', "A", 101, 301, 7}},
			7, 0, 7, 0, 1, 1, 0, 0, flows.EndOpen, flows.InitiatorRemote},
		{"acknowledged before it was captured", []step{{'c', "A", 1, 1, 10}, {'s', "A", 1, 21, 0}, {'c', "A", 11, 1, 10}, {'c', "A", 21, 1, 10}},
			30, 0, 30, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"acknowledged before it came late, where sequence numbers wrap",
			[]step{{'s', "A", top - 14, 1, 10}, {'c', "A", 1, 5, 0}, {'s', "A", 5, 1, 10}, {'s', "A", top - 4, 1, 10}},
			0, 30, 0, 30, 0, 1, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"acknowledged only in part", []step{{'c', "A", 1, 1, 10}, {'s', "A", 1, 15, 0}, {'c', "A", 21, 1, 10}, {'c', "A", 11, 1, 10}},
			30, 0, 30, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"acknowledged before the first segment, earlier bytes come later", []step{{'s', "A", 1, 900, 0}, {'c', "A", 900, 1, 10}, {'c', "A", 890, 1, 10}},
			20, 0, 20, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"a lower acknowledgement after a higher one", []step{{'c', "A", 1, 1, 10}, {'s', "A", 1, 21, 0}, {'s', "A", 1, 11, 0}, {'c', "A", 11, 1, 10}},
			20, 0, 20, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"without the flag no number acknowledges", []step{{'c', "A", 1, 1, 10}, {'s', "R", 1, 21, 0}, {'c', "A", 11, 1, 10}},
			20, 0, 20, 0, 0, 0, 0, 0, flows.EndRST, flows.InitiatorUnknown},
		{"the last bytes behind the FIN that acknowledges them", []step{{'c', "SA", 0, 1, 0}, {'c', "A", 1, 1, 10}, {'s', "FA", 1, 21, 0}, {'c', "A", 11, 1, 10}},
			20, 0, 20, 0, 1, 0, 0, 0, flows.EndOpen, flows.InitiatorRemote},
		{"joined midway, a keep-alive first", []step{{'c', "A", 11, 1, 0}, {'c', "A", 10, 1, 1}, {'c', "A", 10, 1, 1}, {'c', "A", 11, 1, 5}},
			7, 0, 6, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"a keep-alive before any data", []step{{'c', "S", 10, 0, 0}, {'s', "SA", 1, 11, 0}, {'c', "A", 11, 2, 0}, {'c', "A", 10, 2, 1}},
			1, 0, 0, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorLocal},
		{"a keep-alive of acknowledged bytes", []step{{'c', "A", 1, 1, 10}, {'s', "A", 1, 11, 0}, {'c', "A", 10, 1, 1}},
			11, 0, 10, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorUnknown},
		{"reset with a reason in it (RFC 9293 §3.5.3)", []step{{'c', "A", 1, 1, 10}, {'s', "R", 1, 0, 12}},
			10, 12, 10, 12, 0, 0, 0, 0, flows.EndRST, flows.InitiatorUnknown},
		{"tail lost before the tap, its FIN seen", []step{{'c', "SA", 0, 1, 0}, {'c', "A", 1, 1, 10}, {'c', "FA", 31, 1, 0}, {'s', "FA", 1, 32, 0}},
			10, 0, 10, 0, 0, 0, 20, 0, flows.EndFIN, flows.InitiatorRemote},
		{"tail lost with its FIN, and acknowledged", []step{{'c', "SA", 0, 1, 0}, {'c', "A", 1, 1, 10}, {'s', "FA", 1, 31, 0}},
			10, 0, 10, 0, 0, 0, 20, 0, flows.EndOpen, flows.InitiatorRemote},
		{"only the FIN lost", []step{{'c', "SA", 0, 1, 0}, {'c', "A", 1, 1, 10}, {'s', "FA", 1, 12, 0}},
			10, 0, 10, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorRemote},
		{"FIN before the data, which comes later", []step{{'c', "SA", 0, 1, 0}, {'c', "A", 1, 1, 10}, {'c', "FA", 31, 1, 0}, {'c', "A", 11, 1, 20}},
			30, 0, 30, 0, 0, 0, 0, 0, flows.EndOpen, flows.InitiatorRemote},
		{"half closed, then closed", []step{{'c', "FA", 1, 1, 5}, {'s', "A", 1, 7, 20}, {'s', "FA", 21, 7, 0}, {'s', "FA", 21, 7, 0}},
			5, 20, 5, 20, 0, 1, 0, 0, flows.EndFIN, flows.InitiatorUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := flows.NewTable()
			defer table.Close()
			feed(table, second, segmentsOf(tt.steps)...)
			list := table.Flows(nil, local4())
			if len(list) != 1 {
				t.Fatalf("%d flows, want 1", len(list))
			}
			f := list[0]
			got := [8]uint64{f.TxPayload, f.RxPayload, f.TxStream, f.RxStream, f.TxRetransmits, f.RxRetransmits, f.TxGap, f.RxGap}
			want := [8]uint64{tt.txPay, tt.rxPay, tt.txStream, tt.rxStream, tt.txAgain, tt.rxAgain, tt.txGap, tt.rxGap}
			if got != want || f.End != tt.end || f.Initiator != tt.initiator {
				t.Errorf("payload, stream, sent again, gap %d, end %v, initiator %v\nwant %d, %v, %v", got, f.End, f.Initiator, want, tt.end, tt.initiator)
			}
		})
	}
}

// TestClockRunsBack: packets are taken in the order of the file; the flow's window holds all of them.
func TestClockRunsBack(t *testing.T) {
	table := flows.NewTable()
	defer table.Close()
	frames := exchange(100, host4, peer4)
	feed(table, 100*second, frames[:4]...)
	feed(table, 40*second, frames[4:]...)
	list := table.Flows(nil, local4())
	if len(list) != 1 || list[0].First != 40*second || list[0].Last != 100*second+3_000_000 || list[0].TxStream != 5 || list[0].RxStream != 2 {
		t.Errorf("%+v, want one flow from 40 s to 100.003 s with 5 and 2 stream bytes", list)
	}
}
