package pidmap

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"apptap/flows"
	"apptap/pidmap/libproc"
)

// Call numbers and flavours of proc_info(2), xnu bsd/sys/proc_info.h.
const (
	procListPIDs   = 1
	procPIDInfo    = 2
	procFDInfo     = 3
	allProcesses   = 1 // PROC_ALL_PIDS
	flavorFDs      = 1
	flavorProcess  = 3
	flavorSocket   = 3 // of procFDInfo
	flavorPath     = 11
	flavorShort    = 13
	flavorUnique   = 17 // PROC_PIDUNIQIDENTIFIERINFO of bsd/sys/proc_info_private.h
	maxProcInfoBuf = 8 << 20
)

// macProcs reads the process table of a Mac.
type macProcs struct {
	// call is proc_info(2): it fills in buf and returns how many bytes there are, or for no buf how many there may be.
	call  func(number, pid, flavor int32, arg uint64, buf []byte) (int, error)
	user  func(uid uint32) string // name of a user, "" if unknown; asks a directory service, some tenths of a millisecond
	users map[uint32]string       // its answers: a scan asks for every process
	apps  MacApps
	buf   []byte
	pids  []int32
	fds   []int32
	known map[ProcessKey]Process
	was   macWas
}

func newMacProcs(call func(number, pid, flavor int32, arg uint64, buf []byte) (int, error)) *macProcs {
	m := &macProcs{call: call, user: func(uid uint32) string { return strconv.FormatUint(uint64(uid), 10) },
		buf: make([]byte, 16<<10), known: map[ProcessKey]Process{}, users: map[uint32]string{}}
	m.apps.Process = func(pid int32) (Process, bool) { return m.bare(pid) }
	return m
}

// list calls with a buffer that grows until the answer leaves room in it: the kernel cuts it to fit without a word.
func (m *macProcs) list(number, pid, flavor int32) ([]byte, error) {
	for {
		n, err := m.call(number, pid, flavor, 0, m.buf)
		if err != nil || n < len(m.buf) || len(m.buf) >= maxProcInfoBuf {
			return m.buf[:max(n, 0)], err
		}
		m.buf = make([]byte, 2*len(m.buf))
	}
}

// fixed calls for a structure of a known size; another one is an error that wraps libproc.ErrLayout. The kernel has ENOMEM where it has more
// than there is room for (proc_pidinfo and proc_pidfdinfo of bsd/kern/proc_info.c).
func (m *macProcs) fixed(number, pid, flavor int32, arg uint64, size int) ([]byte, error) {
	buf := make([]byte, size)
	n, err := m.call(number, pid, flavor, arg, buf)
	switch {
	case errors.Is(err, syscall.ENOMEM):
		err = fmt.Errorf("proc_info %d of process %d: more than %d bytes: %w", number, pid, size, libproc.ErrLayout)
	case err == nil && n != size:
		err = fmt.Errorf("proc_info %d of process %d: %d bytes instead of %d: %w", number, pid, n, size, libproc.ErrLayout)
	}
	return buf, err
}

// bare is a process without its app.
func (m *macProcs) bare(pid int32) (Process, bool) {
	p, ok := m.status(pid)
	if ok {
		p.Path = m.path(pid)
	}
	return p, ok
}

// path is that of a process's executable, "" if it is not told. Telling it, the kernel looks the file up.
func (m *macProcs) path(pid int32) string {
	path := make([]byte, libproc.PathSize)
	if _, err := m.call(procPIDInfo, pid, flavorPath, 0, path); err != nil {
		return ""
	}
	return libproc.Path(path) // the call returns 0 whatever it filled in: proc_pidpathinfo of bsd/kern/proc_info.c
}

// status is a process without app and path. Start and parent of other users' processes are for root alone.
func (m *macProcs) status(pid int32) (Process, bool) {
	var told libproc.Process
	b, err := m.fixed(procPIDInfo, pid, flavorProcess, 0, libproc.ProcessSize)
	if err == nil {
		told, err = libproc.DecodeProcess(b)
	} else if b, err = m.fixed(procPIDInfo, pid, flavorShort, 0, libproc.ShortProcessSize); err == nil {
		told, err = libproc.DecodeShortProcess(b)
	}
	if err != nil || told.PID != pid {
		return Process{}, false
	}
	return Process{Key: ProcessKey{PID: pid, Start: told.Start}, StartTime: int64(told.Start) * 1000, PPID: told.PPID, UID: told.UID,
		User: m.userName(told.UID), Name: told.Name}, true
}

// maxUserNames bounds the users remembered with their names.
const maxUserNames = 1024

func (m *macProcs) userName(uid uint32) string {
	name, ok := m.users[uid]
	if !ok {
		if len(m.users) >= maxUserNames {
			clear(m.users)
		}
		name = m.user(uid)
		m.users[uid] = name
	}
	return name
}

// maxKnown bounds the processes remembered with their apps.
const maxKnown = 16384

// process is a process with its app, looked up once: whom it worked for may be gone when a report is made. A program that takes the place
// of another one has another name.
func (m *macProcs) process(pid int32) (Process, bool) {
	p, ok := m.status(pid)
	if !ok {
		return p, false
	}
	if known, ok := m.known[p.Key]; ok && known.Name == p.Name && p.Key.Start != 0 {
		return known, true
	}
	p.Path = m.path(pid)
	app := m.apps.App(p)
	p.Bundle = &app
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	m.known[p.Key] = p
	m.was.keep(m.unique(pid), p)
	return p, true
}

// unique is the number of a running process that no other one has until reboot, 0 if it is not told.
func (m *macProcs) unique(pid int32) uint64 {
	b, err := m.fixed(procPIDInfo, pid, flavorUnique, 0, libproc.UniqueSize)
	if err != nil {
		return 0
	}
	n, _ := libproc.DecodeUnique(b) // it has its size
	return n
}

// macSocket is a socket that processes hold.
type macSocket struct {
	method  Method
	socket  Socket
	holders []Process
}

// sockets lists the TCP and UDP sockets of all processes that may be read. Processes and sockets come and go meanwhile: what
// cannot be read any more is left out. denied is how many processes did not let themselves be read.
func (m *macProcs) sockets(refused func(error) bool) (all map[flows.Key]*macSocket, stats ScanStats, err error) {
	b, err := m.list(procListPIDs, allProcesses, 0)
	if err != nil {
		return nil, stats, fmt.Errorf("list processes: %w", err)
	}
	m.pids = libproc.PIDs(m.pids[:0], b)
	all = map[flows.Key]*macSocket{}
	for _, pid := range m.pids {
		stats.Processes++
		b, err := m.list(procPIDInfo, pid, flavorFDs)
		if err != nil {
			if refused(err) {
				stats.Denied++
			}
			continue
		}
		m.fds = libproc.Sockets(m.fds[:0], b)
		if err := m.socketsOf(pid, all); err != nil {
			return all, stats, err
		}
	}
	return all, stats, nil
}

// wantsRoot says whether more processes did not let themselves be read than the few that not even root may look into.
func wantsRoot(s ScanStats) bool {
	const few = 20 // one in so many; on a Mac mini it was 4 of 719
	return s.Denied*few > s.Processes
}

func (m *macProcs) socketsOf(pid int32, all map[flows.Key]*macSocket) error {
	var holder *Process
	for _, fd := range m.fds {
		b, err := m.fixed(procFDInfo, pid, flavorSocket, uint64(fd), libproc.SocketSize)
		if errors.Is(err, libproc.ErrLayout) {
			return fmt.Errorf("read descriptor %d of process %d: %w", fd, pid, err)
		} else if err != nil {
			continue // closed since
		}
		s, ok, err := libproc.DecodeSocket(b)
		if err != nil {
			return fmt.Errorf("read descriptor %d of process %d: %w", fd, pid, err)
		} else if !ok {
			continue
		}
		if holder == nil {
			p, ok := m.process(pid)
			if !ok {
				return nil
			}
			holder = &p
		}
		found := all[s.Key]
		if found == nil {
			found = &macSocket{method: MethodLibproc, socket: Socket{Key: s.Key, DualStack: s.DualStack, Listening: s.Listening(), UID: holder.UID}}
			all[s.Key] = found
		}
		if n := len(found.holders); n == 0 || found.holders[n-1].Key != holder.Key {
			found.holders = append(found.holders, *holder)
		}
	}
	return nil
}
