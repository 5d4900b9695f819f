package pidmap

import (
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

// The same process always is the same app, and no app is without a name, whatever a program calls itself.
func FuzzAppOf(f *testing.F) {
	f.Add("/usr/bin/python3", "python3\x00-m\x00http.server")
	f.Add("/bin/sh", "sh\x00--")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, exe, cmdline string) {
		p := Process{Key: ProcessKey{PID: 9}, Path: exe, Cmdline: strings.Split(cmdline, "\x00")}
		a, b := AppOf(p), AppOf(p)
		if a.ID == "" || a.Name == "" || a.ID != b.ID {
			t.Fatalf("AppOf(%+v) = %+v, then %+v", p, a, b)
		}
	})
}
