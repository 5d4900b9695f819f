package rights

import "testing"

func TestForCapture(t *testing.T) {
	for _, tt := range []struct {
		writes  bool
		release string
		want    string
	}{
		{false, "6.18.5", "cap_dac_read_search,cap_sys_ptrace"},
		{false, "6.0.0-rc1", "cap_dac_read_search,cap_sys_ptrace"},
		{true, "10.1", "cap_dac_override,cap_dac_read_search,cap_sys_ptrace"},
		{false, "5.15.0-91-generic", "cap_dac_read_search,cap_sys_ptrace,cap_bpf"},
		{false, "", "cap_dac_read_search,cap_sys_ptrace,cap_bpf"},
	} {
		if got := ForCapture(tt.writes, tt.release).String(); got != tt.want {
			t.Errorf("ForCapture(%v, %q) = %s, want %s", tt.writes, tt.release, got, tt.want)
		}
	}
}

func TestSetString(t *testing.T) {
	for set, want := range map[Set]string{0: "none", Of(13): "cap_13", Of(SysPtrace, BPF): "cap_sys_ptrace,cap_bpf"} {
		if got := set.String(); got != want {
			t.Errorf("%#x: %s, want %s", uint64(set), got, want)
		}
	}
}
