package main

import (
	"io"
	"maps"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"

	"apptap/fixtures"
	"apptap/fixtures/netns"
)

// framesReport is what a report says of an interface.
type framesReport struct {
	Totals    counters
	Undecoded struct {
		Kinds      map[string]uint64
		KindsBytes map[string]uint64 `json:"kinds_bytes"`
	}
	Audit struct {
		Flows      struct{ Checked, Exact int }
		Interfaces []struct {
			CapturedPackets uint64 `json:"captured_packets"`
			CapturedBytes   uint64 `json:"captured_bytes"`
			KernelPackets   uint64 `json:"kernel_packets"`
			KernelBytes     uint64 `json:"kernel_bytes"`
			Explained       map[string]int64
			ResidualBytes   *int64 `json:"residual_bytes"`
		}
	}
}

// frames captures at one end of a pair what passes it.
type frames struct {
	*testing.T
	here, there *netns.Namespace
}

// captured reports on what passes meanwhile, live and from the recording, which must say the same of the interface.
func (f *frames) captured(passes func()) *framesReport {
	f.Helper()
	dir := f.TempDir()
	live, session, again := filepath.Join(dir, "live.json"), filepath.Join(dir, "s.pcapng"), filepath.Join(dir, "again.json")
	run := f.here.Command(f.T, "apptap", "capture", "-i", netns.Interface, "-s", "128", "-w", session, "--format", "json", "-o", live)
	wait := start(f.T, run, "capturing on")
	passes()
	interrupt(f.T, run)
	wait()
	var report, replayed framesReport
	readJSON(f.T, live, &report)
	if out, err := exec.CommandContext(f.Context(), "apptap", "replay", "--format", "json", "-o", again, session).CombinedOutput(); err != nil {
		f.Fatalf("replay: %v: %s", err, out)
	}
	readJSON(f.T, again, &replayed)
	a, b := report.Audit.Interfaces[0], replayed.Audit.Interfaces[0]
	if a.ResidualBytes == nil || *a.ResidualBytes != 0 || b.ResidualBytes == nil || *b.ResidualBytes != 0 {
		f.Errorf("got %+v (residual %v), and replayed %+v (%v); want residual 0", a, number(a.ResidualBytes), b, number(b.ResidualBytes))
	}
	return &report
}

// explained holds that the causes are these, with so many bytes either way.
func (f *frames) explained(r *framesReport, want map[string]int64) {
	f.Helper()
	if got := r.Audit.Interfaces[0].Explained; !maps.Equal(got, want) {
		f.Errorf("got causes %v, want %v", got, want)
	}
}

// bulk is how many bytes a transfer has.
const bulk = 3_000_000

// transfer has the far side send bulk bytes over TCP, and this one as many back.
func (f *frames) transfer() {
	f.Helper()
	conn, far := (&classes{T: f.T, here: f.here, there: f.there}).connect(7001)
	defer conn.Close()
	sent := make(chan error, 1)
	go func() {
		defer far.Close()
		if _, err := far.Write(make([]byte, bulk)); err != nil {
			sent <- err
			return
		}
		_, err := io.CopyN(io.Discard, far, bulk)
		sent <- err
	}()
	if _, err := io.CopyN(io.Discard, conn, bulk); err != nil {
		f.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, bulk)); err != nil {
		f.Fatal(err)
	}
	if err := <-sent; err != nil {
		f.Fatal(err)
	}
}

// offloads sets what the ends of the pair leave to each other, and skips the test where that cannot be.
func (f *frames) offloads(n *netns.Namespace, settings ...string) {
	f.Helper()
	if out, err := n.Command(f.T, "ethtool", append([]string{"-K", netns.Interface}, settings...)...).CombinedOutput(); err != nil {
		f.Skipf("ethtool -K: %v: %s", err, out)
	}
}

// TestIntegrationFrames has frames pass that are not of the same shape where they are captured and where the interface counts
// them, or that are no IP. The books close, and each difference has its name.
func TestIntegrationFrames(t *testing.T) {
	if !haveLibpcap {
		t.Skip("this build has no libpcap")
	}
	const segments = 2 * bulk / 1448 // both ways, of an MTU of 1500 with TCP time stamps
	const tagged, payload = 50, 100
	in := func(name string, test func(f *frames)) {
		t.Run(name, func(t *testing.T) {
			f := &frames{T: t}
			f.here, f.there = netns.Pair(t)
			test(f)
		})
	}
	in("offloads on", func(f *frames) {
		for _, n := range []*netns.Namespace{f.here, f.there} {
			f.offloads(n, "tso", "on", "gso", "on")
		}
		r := f.captured(f.transfer)
		if i := r.Audit.Interfaces[0]; len(i.Explained) > 0 || i.CapturedPackets > segments/2 || r.Audit.Flows.Exact != 1 {
			f.Errorf("got %+v and %+v, want super-frames, counted as captured, and an exact flow", i, r.Audit.Flows)
		}
	})
	in("offloads off", func(f *frames) {
		for _, n := range []*netns.Namespace{f.here, f.there} {
			f.offloads(n, "tso", "off", "gso", "off", "gro", "off")
		}
		r := f.captured(f.transfer)
		if i := r.Audit.Interfaces[0]; len(i.Explained) > 0 || i.CapturedPackets < segments || r.Audit.Flows.Exact != 1 {
			f.Errorf("got %+v and %+v, want %d segments or more, and an exact flow", i, r.Audit.Flows, segments)
		}
	})
	in("segments put together", func(f *frames) { // as a card's are: counted as they come, captured as super-frames
		f.offloads(f.here, "gro", "on", "tso", "off", "gso", "off")
		f.offloads(f.there, "tso", "off", "gso", "off", "gro", "off")
		r := f.captured(f.transfer)
		i := r.Audit.Interfaces[0]
		if i.CapturedPackets >= i.KernelPackets {
			f.Skipf("%d frames were captured and %d counted: nothing was put together here", i.CapturedPackets, i.KernelPackets)
		}
		const header = 14 + 20 + 32
		want := map[string]int64{"super_frames": header * int64(i.KernelPackets-i.CapturedPackets)}
		if more := want["super_frames"] - int64(i.KernelBytes-i.CapturedBytes); more != 0 { // Linux leaves them out of what it then receives
			want["link_header"] = more
		}
		f.explained(r, want)
		if r.Audit.Flows.Exact != 1 {
			f.Errorf("got flows %+v, want an exact one", r.Audit.Flows)
		}
	})
	in("tag in the frame", func(f *frames) {
		here, there := netip.MustParseAddrPort("10.77.0.1:4001"), netip.MustParseAddrPort("10.77.0.2:4001")
		r := f.captured(func() {
			for range tagged {
				f.there.Send(f.T, fixtures.UDP(there, here, make([]byte, payload), fixtures.VLAN(5)))
				f.here.Send(f.T, fixtures.UDP(here, there, make([]byte, payload), fixtures.VLAN(5, 6)))
			}
		})
		if got := r.Audit.Interfaces[0].Explained; len(got) > 0 || r.Totals.TxPayload != tagged*payload || r.Totals.RxPayload != tagged*payload {
			f.Errorf("got causes %v and totals %+v, want none and %d bytes each way", got, r.Totals, tagged*payload)
		}
	})
	in("tag beside the frame", func(f *frames) {
		f.there.Tagging(f.T, 5)
		var conn *net.UDPConn
		var err error
		f.there.Do(f.T, func() { conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: f.there.IPv4.AsSlice()}) })
		if err != nil {
			f.Fatal(err)
		}
		defer conn.Close()
		r := f.captured(func() {
			for range tagged {
				if _, err := conn.WriteTo(make([]byte, payload), &net.UDPAddr{IP: f.here.IPv4.AsSlice(), Port: 9}); err != nil {
					f.Fatal(err)
				}
			}
		})
		f.explained(r, map[string]int64{"vlan_tag": 4 * tagged})
		if want := uint64(tagged * (14 + 4 + 20 + 8 + payload)); r.Totals.RxBytes != want {
			f.Errorf("got %+v, want %d bytes received", r.Totals, want)
		}
	})
	in("no IP", func(f *frames) {
		const experimental = 0x88b5 // IEEE 802 local experimental EtherType 1
		var want uint64
		r := f.captured(func() {
			for n := range 40 {
				frame := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, experimental >> 8, experimental & 0xff}, make([]byte, 20+n)...)
				if n%2 == 0 { // for a station that is not there
					copy(frame, []byte{2, 0, 0, 0, 0, 9})
				}
				from := []*netns.Namespace{f.here, f.there}[n/2%2]
				from.Send(f.T, frame)
				want += uint64(len(frame))
			}
		})
		if got := r.Undecoded; got.Kinds["ethertype_0x88b5"] != 40 || got.KindsBytes["ethertype_0x88b5"] != want {
			f.Errorf("got %+v, want 40 of the EtherType, %d bytes", got, want)
		}
		if got := r.Audit.Interfaces[0].Explained; len(got) > 0 {
			f.Errorf("got causes %v, want none", got)
		}
	})
}
