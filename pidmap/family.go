package pidmap

import (
	"path"
	"strings"
)

// Ancestor is a process above another one, as far as it takes to name the app.
type Ancestor struct {
	Key     ProcessKey
	Path    string
	Cmdline []string
	Desktop DesktopEntry // as of Process
}

// maxAncestors bounds how far up a process's main process is looked for.
const maxAncestors = 8

// mainProcess is the top of the processes that one program runs as: browsers, Electron and WebKit put their network into a
// child. Anything else is its own.
func mainProcess(s subject, why []string) (subject, []string) {
	top := s
	for i, a := range s.Ancestors {
		exe := strings.TrimSuffix(a.Path, " (deleted)")
		if i == maxAncestors || exe == "" || a.Key.PID == 1 || isLauncher(path.Base(exe)) || !isPartOf(top, exe) {
			break
		}
		top.exe, top.Path, top.Cmdline, top.Key = exe, a.Path, a.Cmdline, a.Key
		top.Desktop = a.Desktop
	}
	if top.Key != s.Key {
		why = append(why[:len(why):len(why)], "a process of its ancestor "+path.Base(top.exe))
	}
	return top, why
}

// isPartOf says whether a process is one of those that its parent, the program exe, runs as.
func isPartOf(child subject, exe string) bool {
	base := path.Base(child.exe)
	if isLauncher(base) {
		return false
	}
	if _, ok := scriptOf(base, child.Cmdline); ok && !hasProcessType(child.Cmdline) {
		return false // an interpreter that runs another program than its parent does
	}
	if isEngineProcess(base) {
		return true
	}
	if child.exe == exe {
		return true
	}
	return path.Dir(child.exe) == path.Dir(exe) && (hasProcessType(child.Cmdline) || isHelper(base))
}

// hasProcessType knows the option by which Chromium (and all that embeds it) and Firefox say what a child is for.
func hasProcessType(cmdline []string) bool {
	for _, arg := range cmdline[min(1, len(cmdline)):] {
		if strings.HasPrefix(arg, "--type=") || arg == "-contentproc" || arg == "--contentproc" {
			return true
		}
	}
	return false
}

// isHelper knows programs that lie beside the one that they serve.
func isHelper(base string) bool {
	for _, word := range [...]string{"crashpad", "crashhelper", "crashreporter", "plugin-container", "_helper", "-helper", "chrome-sandbox", "chrome_"} {
		if strings.Contains(base, word) {
			return true
		}
	}
	return false
}

// isEngineProcess knows the children of web engines that any program may embed.
func isEngineProcess(base string) bool {
	switch base {
	case "WebKitNetworkProcess", "WebKitWebProcess", "WebKitGPUProcess", "QtWebEngineProcess", "jcef_helper", "cef_subprocess":
		return true
	}
	return false
}

// inherit is what a child that is not yet another program has of its parent.
func (p *Process) inherit(parent Process) {
	p.AppImage, p.Flatpak, p.Container, p.Desktop = parent.AppImage, parent.Flatpak, parent.Container, parent.Desktop
	if isLauncher(path.Base(parent.Path)) {
		return // it will be a program of its own
	}
	above := Ancestor{Key: parent.Key, Path: parent.Path, Cmdline: parent.Cmdline, Desktop: parent.Desktop}
	p.Ancestors = append([]Ancestor{above}, parent.Ancestors[:min(len(parent.Ancestors), maxAncestors-1)]...)
}

// become keeps the ancestors of the program that the process was, if they are still its own.
func (p *Process) become(ancestors []Ancestor) {
	if len(ancestors) > 0 && isPartOf(subject{*p, p.Path}, strings.TrimSuffix(ancestors[0].Path, " (deleted)")) {
		p.Ancestors = ancestors
	}
}
