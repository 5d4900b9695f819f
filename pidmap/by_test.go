package pidmap

import (
	"testing"
)

func TestGroup(t *testing.T) {
	p := Process{Key: ProcessKey{PID: 7, Start: 9}, User: "ada", Name: "python3", Path: "/usr/bin/python3.11",
		Cmdline: []string{"python3", "/opt/fetch.py"}, Cgroup: "/system.slice/docker-" + testContainer + ".scope", Beside: true}
	service := Process{Key: ProcessKey{PID: 8}, Name: "nginx", Path: "/usr/sbin/nginx", Cgroup: "/system.slice/nginx.service"}
	tests := []struct {
		by       By
		in       Process
		id, kind string
	}{
		{ByApp, p, "/usr/bin/python3.11 /opt/fetch.py", "script"},
		{"", p, "/usr/bin/python3.11 /opt/fetch.py", "script"},
		{ByProcess, p, "process:7:9", "process"},
		{ByExecutable, p, "/usr/bin/python3.11", "executable"},
		{ByContainer, p, "docker:0123456789ab", "container"},
		{ByContainer, service, "unit:nginx.service", "unit"},
		{ByUnit, service, "unit:nginx.service", "unit"},
		{ByUnit, Process{Key: ProcessKey{PID: 8}, Path: "/usr/bin/curl", Cgroup: "/user.slice/user-1000.slice/session-3.scope"}, "unit:session-3.scope", "unit"},
		{ByUnit, Process{Key: ProcessKey{PID: 8}, Path: "/usr/bin/curl", Cgroup: "/"}, "/usr/bin/curl", "executable"},
		{ByUser, p, "user:ada", "user"},
		{ByUser, service, "user:", "user"},
		{ByUser, kernelProcess(), "kernel", "kernel"},
	}
	for _, tt := range tests {
		a := Attribution{App: AppOf(tt.in), Process: tt.in, Method: MethodSockDiag}
		a.Shares = []Share{{App: a.App, Process: tt.in}}
		got := tt.by.Group(a)
		if got.App.ID != tt.id || got.App.Kind != tt.kind {
			t.Errorf("Group by %q of %s = %q %q, want %q %q", tt.by, tt.in.Path, got.App.ID, got.App.Kind, tt.id, tt.kind)
		}
		if got.Shares[0].App.ID != tt.id {
			t.Errorf("Group by %q of a share of %s = %q, want %q", tt.by, tt.in.Path, got.Shares[0].App.ID, tt.id)
		}
		if a.Shares[0].App.ID != AppOf(tt.in).ID {
			t.Errorf("Group by %q changed the shares it was given", tt.by)
		}
	}
}

func TestGroupLeavesTheUnowned(t *testing.T) {
	a := Attribution{Reason: ReasonNoSocketSeen}
	if got := ByUser.Group(a); got.Known() || got.App.ID != "" {
		t.Errorf("Group = %+v, want it unchanged", got)
	}
}
