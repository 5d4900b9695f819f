package pidmap

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// macTree is a file system with the applications of a Mac, as far as naming them goes.
func macTree() fs.FS {
	list := func(id, name, version string) *fstest.MapFile {
		return &fstest.MapFile{Mode: 0o644, Data: fmt.Appendf(nil, `<?xml version="1.0"?><plist version="1.0"><dict>
			<key>CFBundleIdentifier</key><string>%s</string><key>CFBundleName</key><string>%s</string>
			<key>CFBundleShortVersionString</key><string>%s</string></dict></plist>`, id, name, version)}
	}
	return fstest.MapFS{
		"Applications/Google Chrome.app/Contents/Info.plist":                               list("com.google.Chrome", "Google Chrome", "130.0"),
		"System/Cryptexes/App/System/Applications/Safari.app/Contents/Info.plist":          list("com.apple.Safari", "Safari", "18.5"),
		"System/Applications/Utilities/Terminal.app/Contents/Info.plist":                   list("com.apple.Terminal", "Terminal", "2.14"),
		"Applications/Game.app/Wrapper/Inner.app/Info.plist":                               list("com.example.game", "Game", "1.0"),
		"Library/SystemExtensions/0A/at.filter.systemextension/Contents/Info.plist":        list("at.filter", "Filter", "3"),
		"Applications/Google Chrome.app/Contents/Frameworks/H.app/Contents/Info.plist":     list("com.google.Chrome.helper", "Helper", "130.0"),
		"System/Library/Frameworks/WebKit.framework/Versions/Current/Resources/Info.plist": list("com.apple.WebKit", "WebKit", "20621"),
	}
}

const (
	webkit   = "/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc/Contents/MacOS/com.apple.WebKit.Networking"
	safari   = "/System/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari"
	chrome   = "/Applications/Google Chrome.app"
	terminal = "/System/Applications/Utilities/Terminal.app/Contents/MacOS/Terminal"
)

// macProcesses are the running ones.
func macProcesses() map[int32]Process {
	all := map[int32]Process{}
	for _, p := range []Process{
		{Key: ProcessKey{PID: 1}, Path: "/sbin/launchd", Name: "launchd"},
		{Key: ProcessKey{PID: 300}, PPID: 1, Path: safari, Name: "Safari"},
		{Key: ProcessKey{PID: 301}, PPID: 1, Path: webkit, Name: "com.apple.WebKit"},
		{Key: ProcessKey{PID: 302}, PPID: 1, Path: webkit, Name: "com.apple.WebKit"},
		{Key: ProcessKey{PID: 400}, PPID: 1, Path: terminal, Name: "Terminal"},
		{Key: ProcessKey{PID: 401}, PPID: 400, Path: "/bin/zsh", Name: "zsh"},
		{Key: ProcessKey{PID: 402}, PPID: 401, Path: "/usr/bin/curl", Name: "curl"},
		{Key: ProcessKey{PID: 500}, PPID: 500, Path: "/usr/bin/loop", Name: "loop"},
		{Key: ProcessKey{PID: 600}, PPID: 1, Path: chrome + "/Contents/MacOS/Google Chrome", Name: "Google Chrome"},
		{Key: ProcessKey{PID: 601}, PPID: 600, Path: chrome + "/Contents/Frameworks/H.app/Contents/MacOS/H", Name: "H"},
		{Key: ProcessKey{PID: 610}, PPID: 401, Path: chrome + "/Contents/MacOS/Google Chrome", Name: "Google Chrome"},
		{Key: ProcessKey{PID: 611}, PPID: 610, Path: chrome + "/Contents/Frameworks/H.app/Contents/MacOS/H", Name: "H"},
		{Key: ProcessKey{PID: 620}, PPID: 1, Path: "/System/Library/CoreServices/Agent.app/Contents/MacOS/Agent", Name: "Agent"},
		{Key: ProcessKey{PID: 621}, PPID: 300, Path: "/System/Library/CoreServices/Agent.app/Contents/MacOS/Agent", Name: "Agent"},
		{Key: ProcessKey{PID: 630}, PPID: 400, Path: webkit, Name: "com.apple.WebKit"},
	} {
		all[p.Key.PID] = p
	}
	return all
}

func macApps() *MacApps {
	running := macProcesses()
	return &MacApps{
		Files:   macTree(),
		Process: func(pid int32) (Process, bool) { p, ok := running[pid]; return p, ok },
		Responsible: func(pid int32) (int32, bool) {
			responsible, ok := map[int32]int32{301: 300, 402: 400, 300: 300, 601: 600, 610: 400, 611: 400, 620: 300, 621: 300, 630: 9999}[pid]
			return responsible, ok
		},
	}
}

func TestMacApp(t *testing.T) {
	running := macProcesses()
	path := func(p string) Process { return Process{Key: ProcessKey{PID: 900}, PPID: 1, Path: p} }
	tests := []struct {
		name    string
		process Process
		want    App
	}{
		{"browser", running[300], App{ID: "com.apple.Safari", Name: "Safari", Kind: "bundle",
			Path: "/System/Cryptexes/App/System/Applications/Safari.app",
			Why:  []string{"outermost application of the executable's path", "Info.plist: com.apple.Safari 18.5"}}},
		{"service of a browser", running[301], App{ID: "com.apple.Safari", Name: "Safari", Kind: "bundle",
			Path: "/System/Cryptexes/App/System/Applications/Safari.app",
			Why: []string{"com.apple.WebKit.Networking.xpc is a service", "the system holds process 300 responsible: Safari.app",
				"Info.plist: com.apple.Safari 18.5"}}},
		{"service of nobody known", running[302], App{ID: "/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc",
			Name: "com.apple.WebKit.Networking", Kind: "bundle",
			Path: "/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc",
			Why:  []string{"a service in no application, and nothing says whose", "name of the bundle's directory"}}},
		{"nested helper", path("/Applications/Google Chrome.app/Contents/Frameworks/H.app/Contents/MacOS/H"),
			App{ID: "com.google.Chrome", Name: "Google Chrome", Kind: "bundle", Path: "/Applications/Google Chrome.app",
				Why: []string{"outermost application of the executable's path", "Info.plist: com.google.Chrome 130.0"}}},
		{"helper of a browser", running[601], App{ID: "com.google.Chrome", Name: "Google Chrome", Kind: "bundle", Path: chrome,
			Why: []string{"the system holds process 600 responsible: Google Chrome.app", "outermost application of the executable's path",
				"Info.plist: com.google.Chrome 130.0"}}},
		{"browser started in a terminal", running[610], App{ID: "com.google.Chrome", Name: "Google Chrome", Kind: "bundle", Path: chrome,
			Why: []string{"outermost application of the executable's path", "started by hand: the system holds process 400 responsible: Terminal.app",
				"Info.plist: com.google.Chrome 130.0"}}},
		{"helper of a browser started in a terminal", running[611], App{ID: "com.google.Chrome", Name: "Google Chrome", Kind: "bundle", Path: chrome,
			Why: []string{"outermost application of the executable's path", "started by hand: the system holds process 400 responsible: Terminal.app",
				"Info.plist: com.google.Chrome 130.0"}}},
		{"agent that launchd started for a browser", running[620], App{ID: "com.apple.Safari", Name: "Safari", Kind: "bundle",
			Path: "/System/Cryptexes/App/System/Applications/Safari.app",
			Why: []string{"the system holds process 300 responsible: Safari.app", "Agent.app is no application that was started by itself",
				"Info.plist: com.apple.Safari 18.5"}}},
		{"agent that a browser started", running[621], App{ID: "com.apple.Safari", Name: "Safari", Kind: "bundle",
			Path: "/System/Cryptexes/App/System/Applications/Safari.app",
			Why: []string{"the system holds process 300 responsible: Safari.app", "Agent.app is no application that was started by itself",
				"Info.plist: com.apple.Safari 18.5"}}},
		{"service whose responsible process is gone", running[630], App{ID: "com.apple.Terminal", Name: "Terminal", Kind: "bundle",
			Path: "/System/Applications/Utilities/Terminal.app",
			Why: []string{"com.apple.WebKit.Networking.xpc is a service", "started below process 400: Terminal.app",
				"Info.plist: com.apple.Terminal 2.14"}}},
		{"iOS app", path("/Applications/Game.app/Wrapper/Inner.app/Inner"), App{ID: "com.example.game", Name: "Game", Kind: "bundle",
			Path: "/Applications/Game.app", Why: []string{"outermost application of the executable's path", "Info.plist: com.example.game 1.0"}}},
		{"system extension", path("/Library/SystemExtensions/0A/at.filter.systemextension/Contents/MacOS/filter"),
			App{ID: "at.filter", Name: "Filter", Kind: "bundle", Path: "/Library/SystemExtensions/0A/at.filter.systemextension",
				Why: []string{"a service in no application, and nothing says whose", "Info.plist: at.filter 3"}}},
		{"tool in a terminal", running[402], App{ID: "/usr/bin/curl", Name: "curl", Kind: "executable", Path: "/usr/bin/curl",
			Why: []string{"executable path", "the system holds process 400 responsible: Terminal.app"}}},
		{"shell, by its parent", running[401], App{ID: "/bin/zsh", Name: "zsh", Kind: "executable", Path: "/bin/zsh",
			Why: []string{"executable path", "started below process 400: Terminal.app"}}},
		{"daemon", path("/usr/sbin/mDNSResponder"), App{ID: "/usr/sbin/mDNSResponder", Name: "mDNSResponder", Kind: "executable",
			Path: "/usr/sbin/mDNSResponder", Why: []string{"executable path"}}},
		{"its own parent", running[500], App{ID: "/usr/bin/loop", Name: "loop", Kind: "executable", Path: "/usr/bin/loop",
			Why: []string{"executable path"}}},
		{"kernel", Process{Name: "kernel_task"}, App{ID: "kernel", Name: "kernel", Kind: "kernel", Why: []string{"process 0, kernel_task"}}},
	}
	apps := macApps()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, apps.App(test.process)); diff != "" {
				t.Errorf("app (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMacAppByName: a header with nothing but a short name.
func TestMacAppByName(t *testing.T) {
	for name, want := range map[string]string{
		"curl":                            "curl",
		"Google Chrome":                   "Google Chrome",
		"Google Chrome Helper (Renderer)": "Google Chrome",
		"Slack Helper":                    "Slack",
		"Google Chrome He":                "Google Chrome",
		"Microsoft Edge H":                "Microsoft Edge",
		"Home Helper app ":                "Home Helper app ",
		"My Helpful Tool":                 "My Helpful Tool",
		" Helper":                         " Helper",
		"Big H":                           "Big H",
		"":                                "pid:9",
	} {
		if got := new(MacApps).App(Process{Key: ProcessKey{PID: 9}, Name: name}); got.Name != want {
			t.Errorf("%q: got app %q, want %q", name, got.Name, want)
		}
	}
}

// TestMacAppLoop: parents that go round in circles end.
func TestMacAppLoop(t *testing.T) {
	apps := &MacApps{Process: func(pid int32) (Process, bool) {
		return Process{Key: ProcessKey{PID: 5 - pid}, PPID: 5 - pid, Path: "/bin/x"}, true
	}}
	if got := apps.App(Process{Key: ProcessKey{PID: 2}, PPID: 3, Path: "/bin/y"}); got.ID != "/bin/y" {
		t.Errorf("got %+v, want the executable", got)
	}
}
