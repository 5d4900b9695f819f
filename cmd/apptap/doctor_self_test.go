package main

import (
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// TestSelfCapture: what is said of the doctor's own connection, and of the interface under it.
func TestSelfCapture(t *testing.T) {
	listener := netip.MustParseAddrPort("127.0.0.1:4000")
	flow := func(payload uint64, pid int32, verdict summarize.Verdict) summarize.FlowUse {
		use := summarize.FlowUse{Verdict: verdict, Owner: pidmap.Attribution{Method: "ntstat"}}
		use.Flow.Key = flows.MakeKey(flows.TCP, netip.MustParseAddrPort("127.0.0.1:5000"), listener)
		use.Flow.TxPayload, use.Owner.Process.Key.PID = payload, pid
		return use
	}
	self := int32(os.Getpid())
	other := flow(7, self, summarize.VerdictExact)
	other.Flow.Key = flows.MakeKey(flows.TCP, netip.MustParseAddrPort("127.0.0.1:6000"), netip.MustParseAddrPort("127.0.0.1:6001"))
	for _, tt := range []struct {
		name    string
		flow    summarize.FlowUse
		ok      bool
		verdict string
	}{
		{"as it should be", flow(100, self, summarize.VerdictExact), true, "exact"},
		{"bytes are missing", flow(99, self, summarize.VerdictExact), false, "exact"},
		{"another process's", flow(100, self+1, summarize.VerdictExact), false, "exact"},
		{"the kernel counted otherwise", flow(100, self, summarize.VerdictUnexplained), false, "unexplained"},
		{"not among them", other, false, ""},
	} {
		s := &summarize.Summary{Flows: []summarize.FlowUse{tt.flow}}
		s.Audit.Interfaces = []summarize.InterfaceAudit{{Name: "lo0", CapturedPackets: 3, CapturedBytes: 300, KernelPackets: 3, KernelBytes: 288, ResidualBytes: -12}}
		r := selfCapture{Sent: 100}
		r.judge(s, listener, nil)
		if r.OK != tt.ok || r.Verdict != tt.verdict {
			t.Errorf("%s: got %+v; want ok %v, verdict %q", tt.name, r, tt.ok, tt.verdict)
		}
		if diff := cmp.Diff(&selfFrames{3, 300, 3, 288, -12, ""}, r.Frames); diff != "" {
			t.Errorf("%s: frames (-want +got):\n%s", tt.name, diff)
		}
	}
}
