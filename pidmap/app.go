package pidmap

import (
	"fmt"
	"path"
	"strings"
)

// kernelThreadParent is kthreadd, the parent of every kernel thread.
const kernelThreadParent = 2

// AppOf names the app that a process is part of, from nothing but what is known of the process.
func AppOf(p Process) App {
	exe, deleted := strings.CutSuffix(p.Path, " (deleted)")
	switch {
	case exe == "" && isKernelThread(p):
		return App{ID: "kernel", Name: "kernel", Kind: "kernel", Why: []string{"a kernel thread: no executable, no command line"}}
	case exe == "" && p.Name == "":
		// One app each: nothing says that two of them are the same.
		id := fmt.Sprintf("pid:%d", p.Key.PID)
		return App{ID: id, Name: id, Kind: "executable", Why: []string{"nothing of the process could be read before it ended"}}
	case exe == "":
		return App{ID: "comm:" + p.Name, Name: p.Name, Kind: "executable", Why: []string{"executable not readable: named by the kernel's short name"}}
	}
	var why []string
	if deleted {
		why = append(why, "executable was replaced or deleted while running")
	}
	if s, ok := scriptOf(path.Base(exe), p.Cmdline); ok {
		return App{ID: exe + " " + s.id, Name: s.name, Kind: "script", Path: s.path, Why: append(why, s.why)}
	}
	return App{ID: exe, Name: path.Base(exe), Kind: "executable", Path: exe, Why: append(why, "executable path")}
}

// isKernelThread tells a kernel thread from a process that was gone before it could be read: both have
// neither executable nor command line.
func isKernelThread(p Process) bool {
	return len(p.Cmdline) == 0 && (p.PPID == kernelThreadParent || p.Key.PID == kernelThreadParent)
}
