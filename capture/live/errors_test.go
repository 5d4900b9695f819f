package live

import (
	"errors"
	"os"
	"testing"
	"time"

	"apptap/capture"
)

func TestHints(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{linuxHint("eth0", "/usr/bin/apptap"), "sudo apptap capture -i eth0, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep /usr/bin/apptap"},
		{linuxHint("eth0", "/home/a b/it's"), `sudo apptap capture -i eth0, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep '/home/a b/it'\''s'`},
		{linuxHint("eth0", ""), "sudo apptap capture -i eth0, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep PATH-OF-APPTAP"},
		{darwinHint("en0"), "/dev/bpf* are root's: sudo apptap capture -i en0, or once: install Wireshark's ChmodBPF, which gives them to its group access_bpf"},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&NoInterfaceError{Interface: "eth9", Available: []string{"lo", "eth0"}}, "no interface eth9: there are lo, eth0"},
		{&NoInterfaceError{Interface: "eth9"}, "no interface eth9: there is none at all"},
		{&NoInterfaceError{Available: []string{"lo"}}, "no interface is up and has an address: there are lo"},
		{&PermissionError{Interface: "eth0", Words: "permission denied"}, "capture on eth0: permission denied"},
	} {
		if tt.err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", tt.err, tt.want)
		}
	}
	if !errors.Is(&PermissionError{}, os.ErrPermission) {
		t.Error("PermissionError is not os.ErrPermission")
	}
}

func TestConfigDefaults(t *testing.T) {
	got, err := Config{Interface: "eth0"}.withDefaults()
	want := Config{Interface: "eth0", SnapLen: 262144, BufferBytes: 32 << 20, ReadTimeout: 10 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	for name, c := range map[string]Config{
		"no interface":     {},
		"negative snaplen": {Interface: "eth0", SnapLen: -1},
		"buffer of 4 GiB":  {Interface: "eth0", BufferBytes: 4 << 30},
		"for ever":         {Interface: "eth0", ReadTimeout: -1},
	} {
		if _, err := c.withDefaults(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCountersWrap(t *testing.T) {
	var c counters
	c.update(4_000_000_000, 5, 0)
	got := c.update(10, 7, 1)
	want := capture.Stats{Received: 1<<32 + 10, DroppedKernel: 7, DroppedInterface: 1, Known: true}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestChooseLinkType(t *testing.T) {
	for _, tt := range []struct {
		low   uint8
		found []int
		want  capture.LinkType
		fails bool
	}{
		{1, []int{1}, capture.LinkTypeEthernet, false},
		{20, []int{276}, capture.LinkTypeLinuxSLL2, false},
		{12, []int{12, 12}, capture.LinkTypeRaw, false},
		{113, nil, capture.LinkTypeLinuxSLL, false},
		{2, []int{258, 2}, 0, true},
	} {
		got, err := chooseLinkType(tt.low, tt.found)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%d of %v: got %v and %v, want %v", tt.low, tt.found, got, err, tt.want)
		}
	}
}
