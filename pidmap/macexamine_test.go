package pidmap

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap/ntstat"
)

// macSystem is a Mac of which each source tells of other sockets: of 50001 all, of 50002 all but for one that names another
// process, of 50003 the kernel's control alone.
func examined(kernel *mac.Kernel) (MacSystem, *mac.Table) {
	table := macTable()
	table.Set(mac.Process{PID: 402, PPID: 400, UID: 501, Name: "curl", Path: "/usr/bin/curl", Start: 42_000_000,
		Sockets: []mac.Socket{socket(true, 50001), socket(true, 50002)}})
	table.List(mac.PCB{Socket: socket(true, 50001), PID: 402}, mac.PCB{Socket: socket(true, 50002), PID: 300})
	return MacSystem{
		Flows:    func() (io.ReadWriteCloser, error) { return kernel, nil },
		ProcInfo: table.ProcInfo, PCBs: table.PCBs, Refused: func(error) bool { return false },
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
