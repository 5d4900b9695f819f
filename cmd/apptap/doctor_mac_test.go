package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture/live"
	"apptap/fixtures/mac"
	"apptap/flows"
	"apptap/pidmap"
)

// TestDoctorOfMac is what a Mac adds to the doctor's JSON, by a Mac that answers in its bytes: each source with the lengths of its
// structures, how far they agree, and messages without names and addresses.
func TestDoctorOfMac(t *testing.T) {
	local, remote := netip.MustParseAddrPort("203.0.113.77:50001"), netip.MustParseAddrPort("198.51.100.7:443")
	key := flows.MakeKey(flows.TCP, local, remote)
	kernel := mac.NewKernel(mac.Flow{Ref: 1, Provider: mac.TCPKernel, Key: key, PID: 402, Name: "secretive", State: 4, Interface: 14})
	table := mac.NewTable(mac.Process{PID: 402, Name: "secretive", Path: "/usr/bin/secretive", Start: 1,
		Sockets: []mac.Socket{{TCP: true, Local: local, Remote: remote, State: 4}}})
	x := pidmap.Examine(pidmap.MacSystem{
		Flows: func() (io.ReadWriteCloser, error) { return kernel, nil }, ProcInfo: table.ProcInfo, PCBs: table.PCBs,
		Refused: func(error) bool { return false }, Nettop: func() ([]byte, error) { return nil, errors.New("no nettop here") },
	})
	x.System = map[string]string{"kern.osversion": "24G90"}
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(macReportOf(x)); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, secret := range []string{"secretive", "203.0.113.77", "cb00714d", "7365637265"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in %s", secret, text)
		}
	}
	var got macReport
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Fixture.Ntstat) != 1 || len(got.Fixture.Ntstat[0]) < 2*344 {
		t.Errorf("fixture %+v; want a message", got.Fixture)
	}
	got.Fixture.Ntstat = nil
	for i := range got.Sources {
		got.Sources[i].Took = 0
	}
	if got.Ntstat == nil || got.Ntstat.Bytes < 344 {
		t.Errorf("answer %+v; want its size", got.Ntstat)
	}
	got.Ntstat = nil
	want := macReport{
		System: map[string]string{"kern.osversion": "24G90"},
		Sources: []macSource{
			{Name: "ntstat", OK: true, Sockets: 1, Lengths: map[string]int{"descriptor of provider 2": 344}},
			{Name: "libproc", OK: true, Sockets: 1, Lengths: map[string]int{"proc_bsdinfo": 136, "proc_bsdshortinfo": 64, "socket_fdinfo": 792}},
			{Name: "pcblist", OK: true, Lengths: map[string]int{}},
			{Name: "nettop", Detail: "no nettop here", Lengths: map[string]int{}},
		},
		Agreement:   []macAgreement{{A: "libproc", B: "ntstat", Same: 1}, {A: "libproc", B: "pcblist", OnlyA: 1}, {A: "ntstat", B: "pcblist", OnlyA: 1}},
		Fixture:     macFixture{Schema: "apptap.mac-fixture/1"},
		Responsible: map[string]int{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if list := macReportOf(x).findings(); len(list) != 3 || !list[0].OK || !strings.Contains(list[0].Detail, "1 connected sockets of the same process") {
		t.Errorf("findings %+v", list)
	}
	odd := macReport{Agreement: []macAgreement{{A: "libproc", B: "ntstat", Same: 4, Differ: 1}}}
	if list := odd.findings(); list[0].OK || !strings.Contains(list[0].Detail, "1 of another") {
		t.Errorf("sources that differ: %+v", list)
	}
	if list := macReportOf(nil).findings(); list != nil {
		t.Errorf("findings of no Mac: %+v", list)
	}
}

// TestTapOfMac: what a tap that names nobody, or cannot be opened, is missing.
func TestTapOfMac(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sample *live.TapSample
		err    error
		ok     bool
		detail string
	}{
		{"names us", &live.TapSample{LinkType: 149, Packets: 40, Own: 38, Nobody: 2}, nil, true, ""},
		{"names nobody", &live.TapSample{LinkType: 149, Packets: 40, Nobody: 40}, nil, false, "no packet named this process"},
		{"another header", &live.TapSample{LinkType: 149, Unknown: 40}, nil, false, "no packet had a header"},
		{"no rights", nil, errors.New("SIOCIFCREATE: Operation not permitted"), false, "not permitted"},
	} {
		if got := macTapOf(tt.sample, tt.err); got.OK != tt.ok || !strings.Contains(got.Detail, tt.detail) || got.Samples == nil {
			t.Errorf("%s: got %+v; want ok %v and %q", tt.name, got, tt.ok, tt.detail)
		}
	}
}

// TestDoctorSmallBuffer: macOS 11 and 12 have one limit, later ones another.
func TestDoctorSmallBuffer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		system map[string]string
		told   bool
	}{
		{"macOS 12", map[string]string{"debug.bpf_maxbufsize": "524288"}, true},
		{"macOS 12, raised", map[string]string{"debug.bpf_maxbufsize": "33554432"}, false},
		{"macOS 15", map[string]string{"debug.bpf_maxbufsize": "524288", "debug.bpf_bufsize_cap": "33554432"}, false},
		{"not told", nil, false},
	} {
		list := (&macReport{System: tt.system}).findings()
		if told := len(list) == 1 && !list[0].OK && strings.Contains(list[0].Mend, "sysctl debug.bpf_maxbufsize=33554432"); told != tt.told || len(list) > 1 {
			t.Errorf("%s: got %+v, want it told of: %v", tt.name, list, tt.told)
		}
	}
}
