package pidmap

import (
	"cmp"
	"path"
	"strings"
)

// desktopIndex finds .desktop files by the program that they start. Made once, then only read.
type desktopIndex map[string]DesktopEntry

// add keeps the entry for each of its programs. resolve turns a program as written into the file that runs, "" if there is
// none. Entries that are not for menus are left out. Of several for one program the one with the shortest name wins, then
// the first ID: the others are its special uses ("New Private Window").
func (x desktopIndex) add(d desktopFile, resolve func(program string) string) {
	if d.hidden {
		return
	}
	for _, program := range d.programs {
		file := resolve(program)
		if file == "" {
			continue
		}
		old, known := x[file]
		if !known || cmp.Or(cmp.Compare(len(d.Name), len(old.Name)), cmp.Compare(d.ID, old.ID)) < 0 {
			x[file] = d.DesktopEntry
		}
	}
}

// find looks for the program of a process: its script if it is an interpreter, else its executable. A launcher's
// entry is that of a terminal or a shell, and every user's.
func (x desktopIndex) find(exe string, cmdline []string) DesktopEntry {
	exe = strings.TrimSuffix(exe, " (deleted)")
	base := path.Base(exe)
	if isInterpreter(base) {
		if s, ok := scriptOf(base, cmdline); ok && path.IsAbs(s.path) {
			return x[s.path]
		}
		return DesktopEntry{}
	}
	if exe == "" || isLauncher(base) {
		return DesktopEntry{}
	}
	return x[exe]
}

// desktopID is the ID of a file below applications/.
func desktopID(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(file, ".desktop"), "/", "-")
}
