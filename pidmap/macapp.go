package pidmap

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"apptap/pidmap/bundle"
)

// MacApps names the apps of macOS processes. The zero value knows nothing but the process itself, as with a file from another
// Mac. It is not safe for concurrent use.
type MacApps struct {
	// Files is the root of the file system that executables are in, for Info.plist; nil reads none.
	Files fs.FS
	// Process finds a running process, nil knows none.
	Process func(pid int32) (Process, bool)
	// Responsible is responsibility_get_pid_responsible_for_pid, nil where it is not to be had: the process for whose user
	// interface another one works, itself for most.
	Responsible func(pid int32) (int32, bool)

	bundles bundle.Cache
}

const (
	maxParents = 16 // looked at
	launchd    = 1
)

// App names the app that p is part of, by the first of: the application that the system holds responsible for it; the outermost
// application bundle of its executable; for a service that is in none, the application that started it; the executable itself.
// A command-line tool is its own app, with the terminal among the reasons, and so is an application that a shell started: it is
// the terminal that the system holds responsible for that one and all its helpers. (On whose behalf p acts its source says
// before.)
func (m *MacApps) App(p Process) App {
	if p.Key.PID == 0 && (p.Name == "kernel_task" || p.Path == "") {
		return App{ID: "kernel", Name: "kernel", Kind: "kernel", Why: []string{"process 0, kernel_task"}}
	}
	holder, why, found := m.responsible(p)
	if dir, ok := bundle.App(p.Path); ok {
		const byPath = "outermost application of the executable's path"
		switch {
		case !found:
			return m.bundled(dir, byPath)
		case holder == dir:
			return m.bundled(dir, why, byPath)
		case m.startedFor(p, holder):
			return m.bundled(holder, why, path.Base(dir)+" is no application that was started by itself")
		}
		return m.bundled(dir, byPath, "started by hand: "+why)
	}
	if !found {
		holder, why, found = m.starter(p)
	}
	part, isPart := bundle.Part(p.Path)
	switch {
	case isPart && found:
		return m.bundled(holder, fmt.Sprintf("%s is a service", path.Base(part)), why)
	case isPart:
		return m.bundled(part, "a service in no application, and nothing says whose")
	case p.Path == "":
		return namedHelper(p)
	}
	app := App{ID: p.Path, Name: path.Base(p.Path), Kind: "executable", Path: p.Path, Why: []string{"executable path"}}
	if found {
		app.Why = append(app.Why, why)
	}
	return app
}

// responsible is the application that the system holds responsible for p.
func (m *MacApps) responsible(p Process) (dir, why string, found bool) {
	if m.Process == nil || m.Responsible == nil {
		return "", "", false
	}
	pid, ok := m.Responsible(p.Key.PID)
	if !ok || pid <= launchd || pid == p.Key.PID {
		return "", "", false
	}
	r, ok := m.Process(pid)
	if !ok {
		return "", "", false
	}
	dir, found = bundle.App(r.Path)
	return dir, fmt.Sprintf("the system holds process %d responsible: %s", pid, path.Base(dir)), found
}

// startedFor says that p was started for the application at dir: by launchd on demand, or by that application itself. Between a
// terminal and what is typed into it stands a shell.
func (m *MacApps) startedFor(p Process, dir string) bool {
	if p.PPID <= launchd {
		return true
	}
	parent, ok := m.Process(p.PPID)
	if !ok {
		return false
	}
	of, ok := bundle.App(parent.Path)
	return ok && of == dir
}

// starter is the application among the parents of p.
func (m *MacApps) starter(p Process) (dir, why string, found bool) {
	if m.Process == nil {
		return "", "", false
	}
	for range maxParents {
		if p.PPID <= launchd {
			break
		}
		parent, ok := m.Process(p.PPID)
		if !ok || parent.Key.PID == p.Key.PID {
			break
		}
		if dir, ok := bundle.App(parent.Path); ok {
			return dir, fmt.Sprintf("started below process %d: %s", parent.Key.PID, path.Base(dir)), true
		}
		p = parent
	}
	return "", "", false
}

// bundled is the app of a bundle. Without an identifier its path has to do.
func (m *MacApps) bundled(dir string, why ...string) App {
	b := m.read(dir)
	app := App{ID: b.ID, Name: b.Name, Kind: "bundle", Path: dir}
	if b.ID == "" {
		app.ID = dir
		app.Why = append(why, "name of the bundle's directory")
		return app
	}
	app.Why = append(why, "Info.plist: "+strings.TrimSpace(b.ID+" "+b.Version))
	return app
}

// read is what a bundle says of itself, or without files what its path does.
func (m *MacApps) read(dir string) bundle.Bundle {
	if m.Files == nil {
		return bundle.FromPath(dir)
	}
	return m.bundles.Read(m.Files, dir)
}

// namedHelper names an app by the kernel's short name alone, which is all that a PKTAP header has. "Google Chrome Helper
// (Renderer)" is Google Chrome, and "Google Chrome He" is what fits of it in 16 bytes.
func namedHelper(p Process) App {
	const helper, longest = " Helper", 16
	name, why := p.Name, "executable not known: named by the kernel's short name"
	if i := strings.Index(name, helper); i > 0 && (len(name) == i+len(helper) || strings.HasPrefix(name[i+len(helper):], " (")) {
		name = name[:i]
	} else if i := strings.LastIndex(name, " H"); i > 0 && len(name) == longest && strings.HasPrefix(helper, name[i:]) {
		name = name[:i]
	}
	if name == "" {
		id := fmt.Sprintf("pid:%d", p.Key.PID)
		return App{ID: id, Name: id, Kind: "executable", Why: []string{"neither executable nor name is known"}}
	}
	app := App{ID: "comm:" + name, Name: name, Kind: "executable", Why: []string{why}}
	if name != p.Name {
		app.Why = append(app.Why, "its helper "+p.Name)
	}
	return app
}

// appOf is the app that p's source named, else the one that p itself tells.
func appOf(p Process) App {
	if p.Bundle != nil {
		return *p.Bundle
	}
	return AppOf(p)
}
