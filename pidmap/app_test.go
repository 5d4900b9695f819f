package pidmap

import (
	"slices"
	"strings"
	"testing"
)

func TestAppOf(t *testing.T) {
	p := func(path string, cmdline ...string) Process {
		return Process{Key: ProcessKey{PID: 77}, PPID: 5, Name: "comm", Path: path, Cmdline: cmdline}
	}
	tests := []struct {
		name     string
		in       Process
		id, kind string
		app      string
	}{
		{"executable", p("/usr/bin/curl", "curl", "x"), "/usr/bin/curl", "executable", "curl"},
		{"replaced", p("/usr/bin/curl (deleted)", "curl"), "/usr/bin/curl", "executable", "curl"},
		{"python script", p("/usr/bin/python3.11", "python3", "-u", "-X", "dev", "/opt/fetch.py", "-c"), "/usr/bin/python3.11 /opt/fetch.py", "script", "fetch.py"},
		{"python module", p("/usr/bin/python3", "python3", "-m", "http.server", "80"), "/usr/bin/python3 -m http.server", "script", "http.server"},
		{"python module run together", p("/usr/bin/python3", "python3", "-mhttp.server"), "/usr/bin/python3 -m http.server", "script", "http.server"},
		{"python inline", p("/usr/bin/python3", "python3", "-c", "import os", "x.py"), "/usr/bin/python3", "executable", "python3"},
		{"python alone", p("/usr/bin/python3", "python3"), "/usr/bin/python3", "executable", "python3"},
		{"python stdin", p("/usr/bin/python3", "python3", "-", "x.py"), "/usr/bin/python3", "executable", "python3"},
		{"option without its value", p("/usr/bin/python3", "python3", "-m"), "/usr/bin/python3", "executable", "python3"},
		{"node", p("/usr/local/bin/node", "node", "--require", "./hook.js", "/srv/app.js"), "/usr/local/bin/node /srv/app.js", "script", "app.js"},
		{"node eval", p("/usr/local/bin/node", "node", "-e", "1", "a.js"), "/usr/local/bin/node", "executable", "node"},
		{"bash script", p("/usr/bin/bash", "/bin/bash", "-e", "/usr/local/bin/backup"), "/usr/bin/bash /usr/local/bin/backup", "script", "backup"},
		{"bash -lc", p("/usr/bin/bash", "bash", "-lc", "curl x"), "/usr/bin/bash", "executable", "bash"},
		{"login shell", p("/usr/bin/bash", "-bash"), "/usr/bin/bash", "executable", "bash"},
		{"perl -we", p("/usr/bin/perl", "perl", "-we", "1"), "/usr/bin/perl", "executable", "perl"},
		{"ruby", p("/usr/bin/ruby3.1", "ruby", "-I", "lib", "bin/tool"), "/usr/bin/ruby3.1 bin/tool", "script", "tool"},
		{"jar", p("/opt/jdk/bin/java", "java", "-cp", "a.jar", "-Xmx1g", "-jar", "/srv/b.jar"), "/opt/jdk/bin/java /srv/b.jar", "script", "b.jar"},
		{"class", p("/opt/jdk/bin/java", "java", "-cp", "a.jar", "org.example.Main"), "/opt/jdk/bin/java", "executable", "java"},
		{"pythonista is no python", p("/usr/bin/pythonista", "pythonista", "x.py"), "/usr/bin/pythonista", "executable", "pythonista"},
		{"end of options", p("/bin/sh", "sh", "--", "-odd"), "/bin/sh -odd", "script", "-odd"},
		{"unreadable", p("", "sshd: x"), "comm:comm", "executable", "comm"},
		{"gone", p(""), "comm:comm", "executable", "comm"},
		{"gone without a name", Process{Key: ProcessKey{PID: 77}}, "pid:77", "executable", "pid:77"},
		{"kernel thread", Process{Key: ProcessKey{PID: 77}, PPID: 2, Name: "kworker/0:1"}, "kernel", "kernel", "kernel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AppOf(tt.in)
			if got.ID != tt.id || got.Kind != tt.kind || got.Name != tt.app {
				t.Errorf("AppOf = %q %q %q, want %q %q %q", got.ID, got.Kind, got.Name, tt.id, tt.kind, tt.app)
			}
			if len(got.Why) == 0 {
				t.Error("no rule says why")
			}
		})
	}
}

// The same process always is the same app, no app is without a name, a reason and a kind that the report documents, whatever
// a program calls itself and whatever its cgroup is called.
func FuzzAppOf(f *testing.F) {
	kinds := []string{"desktop", "flatpak", "snap", "appimage", "unit", "container", "script", "executable", "kernel"}
	f.Add("/usr/bin/python3", "python3\x00-m\x00http.server", "0::/", "", "")
	f.Add("/bin/sh", "sh\x00--", "0::/system.slice/a@b.service", "/bin/sh", "x=y")
	f.Add("/tmp/.mount_KritaAbCdEf/x", "", "0::/kubepods/pod0123456789abcdef0123456789abcdef/x", "/usr/bin/x", "/")
	f.Add("/opt/c/c", "c\x00--type=x", "0::/x/app-a-b-c.scope\n1:pids:/lxc/", "/opt/c/c", "[Application]\nname=")
	f.Add("", "", "", "", "")
	f.Fuzz(func(t *testing.T, exe, cmdline, cgroup, parent, file string) {
		args := strings.Split(cmdline, "\x00")
		p := Process{Key: ProcessKey{PID: 9}, Path: exe, Cmdline: args, Cgroup: cgroupPath([]byte(cgroup))}
		p.AppImage, p.Flatpak = file, flatpakID([]byte(file))
		p.Ancestors = []Ancestor{{Key: ProcessKey{PID: 8}, Path: parent, Cmdline: args}}
		if d, ok := parseDesktop(file, []byte(file)); ok {
			p.Desktop = d.DesktopEntry
		}
		a, b := AppOf(p), AppOf(p)
		if a.ID == "" || a.Name == "" || a.ID != b.ID || len(a.Why) == 0 || !slices.Contains(kinds, a.Kind) {
			t.Fatalf("AppOf(%+v) = %+v, then %+v", p, a, b)
		}
	})
}
