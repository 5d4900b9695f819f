package pidmap

import (
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap/ntstat"
)

// examined is a Mac of which each source tells of other sockets: of 50001 all, of 50002 all but for one that names another
// process, of 50003 the kernel's control alone.
func examined(kernel *mac.Kernel) (MacSystem, *mac.Table) {
	table := macTable()
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000,
		Sockets: []mac.Socket{socket(true, 50001), socket(true, 50002)}})
	table.List(mac.PCB{Socket: socket(true, 50001), PID: 402}, mac.PCB{Socket: socket(true, 50002), PID: 300})
	return MacSystem{
		Flows:    func() (io.ReadWriteCloser, error) { return kernel, nil },
		ProcInfo: table.ProcInfo, PCBs: table.PCBs, Refused: func(error) bool { return false }, Files: macTree(),
		Responsible: func(pid int32) (int32, bool) {
			if pid == 301 {
				return 300, true
			}
			return pid, pid != 500
		},
		Nettop: func() ([]byte, error) {
			return []byte(",bytes_in,bytes_out,\ncurl.402,1,2,\ntcp4 192.0.2.2:50001<->198.51.100.7:443,1,2,\n"), nil
		},
	}, table
}

func TestExamine(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"), macFlow(2, ntstat.TCPKernel, 50002, 402, 300, "curl"),
		macFlow(3, ntstat.QUICUser, 50003, 301, 300, "secret name"))
	system, _ := examined(kernel)
	x := Examine(system)
	got := map[string]int{}
	lengths := map[string]map[string]int{}
	for _, s := range x.Sources {
		if s.Err != nil && s.Name != "libproc" {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
		got[s.Name], lengths[s.Name] = s.Sockets, s.Lengths
	}
	if want := map[string]int{"ntstat": 3, "libproc": 2, "pcblist": 2, "nettop": 1}; !cmp.Equal(got, want) {
		t.Errorf("sockets: got %v, want %v", got, want)
	}
	wantLengths := map[string]map[string]int{
		"ntstat":  {"descriptor of provider 2": 344, "descriptor of provider 8": 344},
		"libproc": {"proc_bsdinfo": 136, "proc_bsdshortinfo": 64, "socket_fdinfo": 792},
		"pcblist": {"record of kind 0x1": 104, "record of kind 0x10": 104, "record of kind 0x20": 208},
		"nettop":  {},
	}
	if diff := cmp.Diff(wantLengths, lengths); diff != "" {
		t.Errorf("lengths (-want +got):\n%s", diff)
	}
	want := []MacAgreement{
		{"libproc", "nettop", 1, 0, 1, 0}, {"libproc", "ntstat", 2, 0, 0, 1}, {"libproc", "pcblist", 1, 1, 0, 0},
		{"nettop", "ntstat", 1, 0, 0, 2}, {"nettop", "pcblist", 1, 0, 0, 1}, {"ntstat", "pcblist", 2, 0, 1, 0},
	}
	if diff := cmp.Diff(want, x.Agreement); diff != "" {
		t.Errorf("agreement (-want +got):\n%s", diff)
	}
	if len(x.Messages) != 2 {
		t.Fatalf("%d messages, want one of each of 2 kinds", len(x.Messages))
	}
	if a := x.Answer; a.Parts != 2 || a.Datagrams != 7 || a.Bytes == 0 || !cmp.Equal(a.Flows, map[string]int{"provider 2": 2, "provider 8": 1}) {
		t.Errorf("answer %+v; want two flows of provider 2 and one of 8 in two parts, and an answer to each of five subscriptions", a)
	}
	if want := map[string]int{"itself": 4, "another": 1, "nobody": 1, "WebKit for com.apple.Safari": 1}; !cmp.Equal(x.Responsible, want) {
		t.Errorf("responsible: got %v, want %v", x.Responsible, want)
	}
	for _, text := range x.Messages {
		b, err := hex.DecodeString(text)
		if err != nil || strings.Contains(string(b), "curl") || strings.Contains(string(b), "secret") || strings.Contains(string(b), "\xc0\x00\x02\x02") {
			t.Errorf("%v; message %q has a name or an address", err, b)
		}
	}
	if !kernel.Closed() {
		t.Error("the control was left open")
	}
}

// TestExamineLife: what a Mac tells of a connection that begins and ends, unasked and asked.
func TestExamineLife(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	system, _ := examined(kernel)
	system.Talk = func() (func() error, error) {
		own := macFlow(9, ntstat.TCPKernel, 50009, int32(os.Getpid()), 0, "apptap")
		own.Age, own.Counts.TxBytes = 240, 1000
		kernel.Start(own)
		kernel.Begin(macFlow(10, ntstat.TCPKernel, 50010, 402, 0, "curl"))
		return func() error {
			kernel.End(9, false, false)
			return nil
		}, nil
	}
	x := Examine(system)
	own := "flags %s, provider 2, state 4, interface 14, age 240 ticks, acts for itself true, sent 1000, received 0"
	want := []string{"asked: message 10006, " + strings.Replace(own, "%s", "0x0", 1), "ended: message 10006, " + strings.Replace(own, "%s", "0x4", 1),
		"ended: message 10002, flags 0x0"}
	if diff := cmp.Diff(want, x.Answer.Life); diff != "" || x.Sources[0].Err != nil {
		t.Errorf("%v; life (-want +got):\n%s", x.Sources[0].Err, diff)
	}
	if x.Sources[0].Sockets != 1 {
		t.Errorf("%d sockets; want that of the connection left out", x.Sources[0].Sockets)
	}
}

// TestSelfTalk: a connection with itself opens and ends.
func TestSelfTalk(t *testing.T) {
	end, err := selfTalk()
	if err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestExamineDrift: a layout that is not known is what has to be sent most of all, with its length.
func TestExamineDrift(t *testing.T) {
	kernel := mac.NewKernel(macFlow(1, ntstat.TCPKernel, 50001, 402, 0, "curl"))
	kernel.Drift(304, 256)
	system, _ := examined(kernel)
	system.Nettop = func() ([]byte, error) { return nil, errors.New("no such program") }
	system.PCBs = nil
	x := Examine(system)
	s := x.Sources[0]
	if !errors.Is(s.Err, ntstat.ErrLayout) || s.Lengths["descriptor of provider 2"] != 304 || len(x.Messages) != 1 {
		t.Errorf("got %+v with %d messages; want the length and the message of a layout that is not known", s, len(x.Messages))
	}
	for _, s := range x.Sources[2:] {
		if s.Err == nil {
			t.Errorf("%s is not there, and no reason is given", s.Name)
		}
	}
	if g := agreement("a", "b", seenBy{macKey(flows.TCP, 1): {1}}, nil); g.OnlyA != 1 {
		t.Errorf("got %+v", g)
	}
}
