package pidmap

import (
	"fmt"
	"path"
	"strings"
)

// kernelThreadParent is kthreadd, the parent of every kernel thread.
const kernelThreadParent = 2

// rule names the app of a process, or leaves it to the next one. Its reason is in App.Why.
type rule func(subject) (App, bool)

// subject is what the rules look at: the process, or the main process of the program that it is a part of.
type subject struct {
	Process
	exe string // executable without the mark of a deleted file
}

// AppOf names the app that a process is part of, from nothing but what is known of the process. The first rule that
// matches names it; App.Why is never empty.
func AppOf(p Process) App {
	exe, deleted := strings.CutSuffix(p.Path, " (deleted)")
	if exe == "" && isKernelThread(p) {
		why := "a kernel thread: no executable, no command line"
		if p.Key.PID == 0 {
			why = "a socket that the kernel made for itself"
		}
		return App{ID: "kernel", Name: "kernel", Kind: "kernel", Why: []string{why}}
	}
	var why []string
	if deleted {
		why = append(why, "executable was replaced or deleted while running")
	}
	s := subject{p, exe}
	for _, r := range [...]rule{containerApp, flatpakApp, snapApp, appImageApp} {
		if a, ok := r(s); ok {
			return a.because(why)
		}
	}
	s, why = mainProcess(s, why)
	for _, r := range [...]rule{desktopScopeApp, desktopEntryApp, unitApp, scriptApp} {
		if a, ok := r(s); ok {
			return a.because(why)
		}
	}
	return executableApp(s).because(why)
}

// because puts what led to a rule before the rule's own reason.
func (a App) because(why []string) App {
	a.Why = append(why[:len(why):len(why)], a.Why...)
	return a
}

func scriptApp(s subject) (App, bool) {
	found, ok := scriptOf(path.Base(s.exe), s.Cmdline)
	if !ok || s.exe == "" {
		return App{}, false
	}
	return App{ID: withoutVersions(s.exe) + " " + withoutVersions(found.id), Name: found.name, Kind: "script", Path: found.path, Why: []string{found.why}}, true
}

func executableApp(s subject) App {
	switch {
	case s.exe == "" && s.Name == "":
		// One app each: nothing says that two of them are the same.
		id := fmt.Sprintf("pid:%d", s.Key.PID)
		return App{ID: id, Name: id, Kind: "executable", Why: []string{"nothing of the process could be read before it ended"}}
	case s.exe == "":
		return App{ID: "comm:" + s.Name, Name: s.Name, Kind: "executable", Why: []string{"executable not readable: named by the kernel's short name"}}
	}
	why := []string{"executable path"}
	id := withoutVersions(s.exe)
	if id != s.exe {
		why = append(why, "versions in its path are one app")
	}
	return App{ID: id, Name: path.Base(s.exe), Kind: "executable", Path: s.exe, Why: why}
}

// isKernelThread tells a kernel thread from a process that was gone before it could be read: both have
// neither executable nor command line.
func isKernelThread(p Process) bool {
	return len(p.Cmdline) == 0 && (p.PPID == kernelThreadParent || p.Key.PID == kernelThreadParent)
}
