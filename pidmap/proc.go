package pidmap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrProcFile says that a file of /proc does not read as proc(5) says.
var ErrProcFile = errors.New("unexpected contents of a /proc file")

const (
	// ticksPerSecond is USER_HZ, the unit of times in /proc: 100 on every architecture that Go runs on,
	// whatever the kernel's own HZ (include/asm-generic/param.h).
	ticksPerSecond = 100
	nanosPerTick   = 1_000_000_000 / ticksPerSecond
	nanosPerSecond = 1_000_000_000
)

// procStat is what is wanted of /proc/PID/stat.
type procStat struct {
	pid, ppid int32
	comm      string
	start     uint64 // clock ticks since boot
	stack     uint64 // where the stack begins, another address after every exec; 0 if not ours to see or already gone
}

// parseStat reads /proc/PID/stat. The second field is the program's own choice of up to 15 bytes in parentheses and may
// hold spaces, newlines and parentheses: it ends at the last ")" of the line, what follows is numbers.
func parseStat(b []byte) (s procStat, err error) {
	opened, closed := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if opened < 1 || closed < opened {
		return s, fmt.Errorf("stat: %w: no name in parentheses", ErrProcFile)
	}
	// proc(5) numbers the fields from 1: rest[0] is field 3, the state.
	rest := bytes.Fields(b[closed+1:])
	const parentField, startField, stackField = 4 - 3, 22 - 3, 28 - 3
	if len(rest) <= startField {
		return s, fmt.Errorf("stat: %w: %d fields", ErrProcFile, len(rest)+2)
	}
	pid, errPID := strconv.ParseInt(string(bytes.TrimSpace(b[:opened])), 10, 32)
	ppid, errPPID := strconv.ParseInt(string(rest[parentField]), 10, 32)
	start, errStart := strconv.ParseUint(string(rest[startField]), 10, 64)
	if err := errors.Join(errPID, errPPID, errStart); err != nil {
		return s, fmt.Errorf("stat: %w: %w", ErrProcFile, err)
	}
	s = procStat{pid: int32(pid), ppid: int32(ppid), comm: string(b[opened+1 : closed]), start: start}
	if len(rest) > stackField {
		s.stack, _ = strconv.ParseUint(string(rest[stackField]), 10, 64) // 0 will do
	}
	return s, nil
}

// parseStatusUID reads the real user id from /proc/PID/status.
func parseStatusUID(b []byte) (uint32, error) {
	value, ok := lineValue(b, "Uid:")
	if !ok || len(value) == 0 {
		return 0, fmt.Errorf("status: %w: no Uid line", ErrProcFile)
	}
	uid, err := strconv.ParseUint(string(value[0]), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("status: %w: %w", ErrProcFile, err)
	}
	return uint32(uid), nil
}

// parseCgroup reads from /proc/PID/cgroup the path in the cgroup v2 hierarchy (cgroups(7)): the line that begins with "0::".
func parseCgroup(b []byte) (string, error) {
	for line := range bytes.Lines(b) {
		if path, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte("0::")); ok {
			return string(path), nil
		}
	}
	return "", fmt.Errorf("cgroup: %w: no line of version 2", ErrProcFile)
}

// parseBootTime reads when the system was booted from /proc/stat, in nanoseconds since 1970 UTC. The kernel
// gives whole seconds.
func parseBootTime(b []byte) (int64, error) {
	value, ok := lineValue(b, "btime")
	if !ok || len(value) == 0 {
		return 0, fmt.Errorf("/proc/stat: %w: no btime line", ErrProcFile)
	}
	seconds, err := strconv.ParseInt(string(value[0]), 10, 33) // 33 bits last until 2106 and cannot overflow below
	if err != nil || seconds < 0 {
		return 0, fmt.Errorf("/proc/stat: %w: btime %q", ErrProcFile, value[0])
	}
	return seconds * nanosPerSecond, nil
}

// lineValue finds the line that begins with name and returns its other fields.
func lineValue(b []byte, name string) ([][]byte, bool) {
	for line := range bytes.Lines(b) {
		if fields := bytes.Fields(line); len(fields) > 0 && string(fields[0]) == name {
			return fields[1:], true
		}
	}
	return nil, false
}

// parseSocketLink reads the target of a link in /proc/PID/fd; only "socket:[INODE]" is a socket.
func parseSocketLink(b []byte) (inode uint64, ok bool) {
	b, prefixed := bytes.CutPrefix(b, []byte("socket:["))
	b, suffixed := bytes.CutSuffix(b, []byte("]"))
	if !prefixed || !suffixed {
		return 0, false
	}
	inode, err := strconv.ParseUint(string(b), 10, 64)
	return inode, err == nil && inode != 0
}

// startTime is when a process started, in nanoseconds since 1970 UTC, 0 if that is not known. It is the
// same in every report, but no closer to the truth than the whole seconds of boot.
func startTime(boot int64, ticks uint64) int64 {
	const maxTicks = 1 << 40 // 348 years; what is more is no time
	if boot == 0 || ticks > maxTicks {
		return 0
	}
	return boot + int64(ticks)*nanosPerTick
}
