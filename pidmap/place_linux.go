package pidmap

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxDesktopFiles = 4096     // of all directories
	maxDesktopFile  = 64 << 10 // bytes of each; with all translations they have some 20 KiB
	maxContainers   = 4096     // whose names are remembered
)

// desktopDirs are the places of .desktop files for all users, and of flatpak's exports (XDG Base Directory
// Specification). Those of a user are in his home, which is not asked of every user.
func desktopDirs() []string {
	return []string{
		"/usr/local/share/applications", "/usr/share/applications",
		"/var/lib/flatpak/exports/share/applications", "/var/lib/snapd/desktop/applications",
	}
}

// programDirs are searched for the names in .desktop files. Not $PATH: apptap's own under sudo is another one.
func programDirs() []string {
	return []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/games", "/snap/bin"}
}

// place fills in what names the app of a process beside its executable.
func (p *procfs) place(d procDir, out *Process) {
	if b, err := d.read("cgroup"); err == nil {
		p.setCgroup(out, cgroupPath(b))
	}
	out.Desktop = p.entry(out.Path, out.Cmdline)
	out.Ancestors = p.ancestors(*out)
	if strings.Contains(out.Path, "/.mount_") {
		out.AppImage = environOf(d, "APPIMAGE")
	}
	if strings.HasPrefix(out.Path, "/app/") || strings.Contains(out.Cgroup, "flatpak") {
		if b, err := d.read("root/.flatpak-info"); err == nil {
			out.Flatpak = flatpakID(b)
		}
	}
}

// entry finds the .desktop file of a program. All are read when the first is asked for.
func (p *procfs) entry(exe string, cmdline []string) DesktopEntry {
	if p.desktops == nil {
		p.desktops = readDesktops(p.desktopDirs, programDirs())
	}
	return p.desktops.find(exe, cmdline)
}

// setCgroup is where a process is, whether that is where apptap is, and what its container is called.
func (p *procfs) setCgroup(out *Process, path string) {
	out.Cgroup, out.Beside = path, path != "" && path == p.own
	out.Container = p.containerName(*out)
}

// ancestors looks up while a process may be a part of its parent. For most that is one look at the parent.
func (p *procfs) ancestors(child Process) []Ancestor {
	var above []Ancestor
	exe, cmdline, pid := strings.TrimSuffix(child.Path, " (deleted)"), child.Cmdline, child.PPID
	for len(above) < maxAncestors && pid > 1 && exe != "" && !isLauncher(filepath.Base(exe)) {
		a, parent, ok := p.ancestor(pid)
		if !ok || !isPartOf(subject{Process{Cmdline: cmdline}, exe}, strings.TrimSuffix(a.Path, " (deleted)")) {
			break
		}
		above = append(above, a)
		exe, cmdline, pid = strings.TrimSuffix(a.Path, " (deleted)"), a.Cmdline, parent
	}
	return above
}

func (p *procfs) ancestor(pid int32) (a Ancestor, parent int32, ok bool) {
	d, err := p.open(pid)
	if err != nil {
		return a, 0, false
	}
	defer d.close()
	a.Path = p.executable(d)
	if b, err := d.read("cmdline"); err == nil {
		a.Cmdline = arguments(b)
	}
	a.Desktop = p.entry(a.Path, a.Cmdline)
	s, err := d.stat()
	if err != nil {
		return a, 0, false
	}
	a.Key = ProcessKey{PID: pid, Start: s.start}
	return a, s.ppid, true
}

// environOf reads one variable of a process's first 4096 bytes of environment, "" if it is not there or not ours to see.
func environOf(d procDir, name string) string {
	b, err := d.read("environ")
	if err != nil {
		return ""
	}
	return environValue(b, name)
}

// readDesktops reads .desktop files once, the first directory's of a name.
func readDesktops(dirs, programs []string) desktopIndex {
	index, seen := desktopIndex{}, map[string]bool{}
	resolve := func(program string) string { return resolveProgram(program, programs) }
	for _, dir := range dirs {
		walk := func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(file) != ".desktop" {
				return nil //nolint:nilerr // a directory that is not ours to read has no entries for us
			}
			rel, _ := filepath.Rel(dir, file)
			id := desktopID(rel)
			if seen[id] {
				return nil
			}
			if len(seen) == maxDesktopFiles {
				return fs.SkipAll
			}
			seen[id] = true
			if b, err := readSmall(file, maxDesktopFile); err == nil {
				if d, ok := parseDesktop(id, b); ok {
					index.add(d, resolve)
				}
			}
			return nil
		}
		_ = filepath.WalkDir(dir, walk) // as above
	}
	return index
}

// resolveProgram finds the file that runs, links followed, as /proc/PID/exe will name it.
func resolveProgram(program string, dirs []string) string {
	if filepath.IsAbs(program) {
		file, err := filepath.EvalSymlinks(program)
		if err != nil {
			return ""
		}
		return file
	}
	for _, dir := range dirs {
		if file, err := filepath.EvalSymlinks(filepath.Join(dir, program)); err == nil {
			return file
		}
	}
	return ""
}

// readSmall reads a regular file that somebody else wrote: no pipe that never ends, no more than a bound.
func readSmall(file string, most int64) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if stat, err := f.Stat(); err != nil || !stat.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	return io.ReadAll(io.LimitReader(f, most))
}
