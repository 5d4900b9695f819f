package pidmap

import (
	"net/netip"
	"testing"

	"apptap/flows"
)

// TestInFileTime: a process owns a flow that it had packets in, not one before or after.
func TestInFileTime(t *testing.T) {
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.7:443"))
	a, b := &Process{Key: ProcessKey{PID: 1}, Name: "a"}, &Process{Key: ProcessKey{PID: 2}, Name: "b"}
	f := NewInFile()
	for _, s := range []struct {
		p     *Process
		time  int64
		bytes uint32
	}{{a, 100, 10}, {a, 200, 10}, {b, 300, 5}, {a, 400, 1}} {
		f.Add(&Sighting{Key: key, Time: s.time, Process: s.p, Method: MethodPKTAP, Outgoing: true, Bytes: s.bytes})
	}
	tests := []struct {
		first, last int64
		want        string
		shares      int
	}{
		{0, 99, "", 0}, {50, 150, "a", 0}, {150, 160, "a", 0}, {201, 299, "", 0}, {250, 350, "b", 0}, {0, 500, "a", 2}, {401, 500, "", 0},
	}
	for _, test := range tests {
		got := f.Owner(key, flows.InitiatorLocal, test.first, test.last)
		if got.App.Name != test.want || len(got.Shares) != test.shares || got.Known() != (test.want != "") {
			t.Errorf("[%d, %d]: got app %q, %d shares, reason %q; want %q with %d", test.first, test.last, got.App.Name, len(got.Shares),
				got.Reason, test.want, test.shares)
		}
	}
	if got := f.Owner(key.Reverse(), flows.InitiatorLocal, 0, 500); got.Known() || got.Reason != ReasonNoOwnerInFile {
		t.Errorf("the other end: got %+v, want %s", got, ReasonNoOwnerInFile)
	}
	f.Forget(key, 300)
	if got := f.Owner(key, flows.InitiatorLocal, 0, 500); got.App.Name != "a" || len(got.Shares) != 0 {
		t.Errorf("after forgetting: got %+v, want a alone", got)
	}
	if f.Forget(key, 400); f.Len() != 0 {
		t.Errorf("after forgetting all: %d keys are left", f.Len())
	}
}

// TestInFileBound: a third process of a socket that two others use in turn has no room, and then nobody owns it.
func TestInFileBound(t *testing.T) {
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("198.51.100.7:443"))
	f := NewInFile()
	for i := range int64(maxStated + 1) {
		p := &Process{Key: ProcessKey{PID: int32(i % 2)}, Name: []string{"a", "b"}[i%2]}
		f.Add(&Sighting{Key: key, Time: i, Process: p, Bytes: 1})
	}
	if got := f.Owner(key, flows.InitiatorLocal, 0, 1000); got.Reason != ReasonAmbiguous || len(got.Candidates) != 2 {
		t.Errorf("got %+v, want it ambiguous between two", got)
	}
}

// TestInFileEitherSide: a process of which only the flow is known has each direction's bytes, whichever end is asked about.
func TestInFileEitherSide(t *testing.T) {
	local, remote := netip.MustParseAddrPort("198.51.100.7:443"), netip.MustParseAddrPort("192.0.2.2:40000")
	key := flows.MakeKey(flows.TCP, local, remote)
	a, b := &Process{Key: ProcessKey{PID: 1}, Name: "a"}, &Process{Key: ProcessKey{PID: 2}, Name: "b"}
	f := NewInFile()
	for i, p := range []*Process{a, b, a} {
		s := &Sighting{Key: key, Time: int64(i), Process: p, Method: MethodRustnet, Sideless: true, Outgoing: true, Bytes: uint32(10 * (i + 1))}
		if i == 2 {
			s.Key = key.Reverse() // a packet the other way
		}
		f.Add(s)
	}
	for _, test := range []struct {
		key  flows.Key
		want Moved // of a
	}{{key, Moved{Tx: 10, Rx: 30}}, {key.Reverse(), Moved{Tx: 30, Rx: 10}}} {
		got := f.Owner(test.key, flows.InitiatorLocal, 0, 10)
		if got.App.Name != "a" || len(got.Shares) != 2 || got.Shares[0].Moved != test.want || got.Method != MethodRustnet {
			t.Errorf("%v: got %+v, want a with %+v", test.key, got, test.want)
		}
	}
	if f.Forget(key, 10); f.Len() != 0 {
		t.Errorf("after forgetting: %d sides are left", f.Len())
	}
}
