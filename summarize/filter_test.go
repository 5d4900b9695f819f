package summarize

import "testing"

func TestSplitsFlows(t *testing.T) {
	tests := []struct {
		expr string
		want bool
	}{
		{"", false},
		{"tcp", false},
		{"tcp port 443 and not host 192.0.2.1", false},
		{"(tcp port https || udp) && !net 10.0.0.0/8", false},
		{"host src.example.com", false},
		{"portrange 80-90", false},
		{"src host 192.0.2.1", true},
		{"tcp and (dst port 80)", true},
		{"tcp[tcpflags] & tcp-syn != 0", true},
		{"ip[2:2] > 100", true},
		{"less 100", true},
		{"len > 100", true},
		{"INBOUND", true},
		{"vlan 3 and tcp", true},
		{"ip multicast", true},
	}
	for _, tt := range tests {
		if got := splitsFlows(tt.expr); got != tt.want {
			t.Errorf("splitsFlows(%q) = %v, want %v", tt.expr, got, tt.want)
		}
	}
}
