package pidmap

import (
	"bytes"
	"strings"
)

// v1Controllers are the hierarchies of cgroup v1 that are asked, in this order: that of systemd has units, the others
// have containers of runtimes that know no systemd.
var v1Controllers = [...]string{"name=systemd", "pids", "memory", "cpuset", "devices"}

// cgroupPath reads from /proc/PID/cgroup (cgroups(7)) where a process is: its path in the hierarchy of version 2, or
// where that says nothing (hybrid and v1 hosts), in the first of version 1 that does. "" if no line says anything.
func cgroupPath(b []byte) string {
	v2, err := parseCgroup(b)
	if err == nil && v2 != "/" && v2 != "" {
		return v2
	}
	for _, controller := range v1Controllers {
		if path := v1Path(b, controller); path != "" && path != "/" {
			return path
		}
	}
	return v2
}

func v1Path(b []byte, controller string) string {
	for line := range bytes.Lines(b) {
		fields := strings.SplitN(strings.TrimSuffix(string(line), "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		for name := range strings.SplitSeq(fields[1], ",") {
			if name == controller {
				return fields[2]
			}
		}
	}
	return ""
}

// cgroupParts are the directories of a cgroup's path, outermost first. A process in a cgroup that was removed still has its
// path, with a mark.
func cgroupParts(p Process) []string {
	if p.Beside {
		return nil
	}
	return strings.FieldsFunc(strings.TrimSuffix(p.Cgroup, " (deleted)"), func(r rune) bool { return r == '/' })
}

// innermostUnit is the systemd unit that a process is in: the last directory that is a service or a scope. A user's
// manager runs units of its own inside user@UID.service.
func innermostUnit(p Process) (name, suffix string) {
	parts := cgroupParts(p)
	for i := len(parts) - 1; i >= 0; i-- {
		for _, suffix := range [...]string{".service", ".scope"} {
			if name, ok := strings.CutSuffix(parts[i], suffix); ok && name != "" {
				return name, suffix
			}
		}
	}
	return "", ""
}

// unescapeUnit undoes the \xNN of systemd.unit(5), which stands for bytes that a part of a unit's name may not have.
func unescapeUnit(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if i+3 < len(name) && name[i] == '\\' && name[i+1] == 'x' {
			high, low := hexDigit(name[i+2]), hexDigit(name[i+3])
			if high >= 0 && low >= 0 {
				out.WriteByte(byte(high<<4 | low))
				i += 3
				continue
			}
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

func hexDigit(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }
