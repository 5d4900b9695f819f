package pidmap

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// errDenied are the errors of /proc/PID/fd and its links without CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
var errDenied = [2]error{unix.EACCES, unix.EPERM}

// execed notes that a process has become another program, while its description can still be read.
func (s *scanner) execed(ctx context.Context, pid int32, now int64) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.procs.open(pid)
	if err != nil {
		return nil // gone already
	}
	defer d.close()
	p, err := s.describe(ctx, d)
	if err != nil || !s.cache[pid].holder {
		return nil
	}
	return []Event{{Kind: ProcessExec, Time: now, Process: p}}
}

// exited notes that a process is gone. Only holders are told of: a build starts thousands of processes
// that never open a socket.
func (s *scanner) exited(pid int32, now int64) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cache[pid]
	delete(s.cache, pid)
	if c == nil || !c.holder {
		return nil
	}
	return []Event{{Kind: ProcessExit, Time: now, Process: c.process}}
}

// inherited lists the sockets that a process has open, at most as many as are worth remembering.
func (s *scanner) inherited(pid int32) []uint64 {
	const most = 64
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.procs.open(pid)
	if err != nil {
		return nil
	}
	defer d.close()
	s.inodes, _ = s.procs.appendSockets(s.inodes[:0], d) // what cannot be read is not remembered
	return slices.Clone(s.inodes[:min(len(s.inodes), most)])
}

// news says whether a process has a socket open that it was not named for, and whether it lives at all. A
// socket that it inherited and that is none of INET_DIAG's is none: every service has its log open. It costs some 30 us.
func (s *scanner) news(pid int32, inherited []uint64) (news, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.procs.open(pid)
	if err != nil {
		return false, false
	}
	defer d.close()
	s.inodes, err = s.procs.appendSockets(s.inodes[:0], d)
	if err != nil && len(s.inodes) == 0 {
		return false, false
	}
	for _, inode := range s.inodes {
		t := s.byInode[inode]
		if t == nil && !slices.Contains(inherited, inode) || t != nil && !t.heldBy(pid) {
			return true, true
		}
	}
	return false, true
}

func (t *tracked) heldBy(pid int32) bool {
	return t.told && slices.ContainsFunc(t.holders, func(p Process) bool { return p.Key.PID == pid })
}

// target names the given process as holder of what it has open, together with its parent, which may have
// opened what the child inherited: then the owner is not certain. Sockets of others are left to the next scan; pending
// says that there are some.
func (s *scanner) target(ctx context.Context, pid int32) (events []Event, pending bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	held := heldBy{}
	if s.addHolder(ctx, held, pid) != nil {
		return nil, false, nil // gone
	}
	if c := s.cache[pid]; c != nil && c.process.PPID > 0 {
		s.addHolder(ctx, held, c.process.PPID) // gone or not ours to see: the child is all there is
	}
	if _, err = s.redump(ctx, began); err != nil {
		return nil, false, err
	}
	dumped := time.Now().UnixNano()
	events = s.vanished(began)
	for _, t := range s.sockets {
		holders := held[t.socket.Inode]
		if len(holders) == 0 {
			pending = pending || !t.told
			continue
		}
		if holders = union(t.holders, holders); !t.told || !sameHolders(t.holders, holders) {
			events = append(events, s.tell(t, holders, dumped))
		}
	}
	s.stats.add(time.Since(began), false)
	return events, pending, nil
}

// union is every process of a and b once, as b has it, sorted by key.
func union(a, b []Process) []Process {
	all := slices.Clone(b)
	for _, p := range a {
		if !slices.ContainsFunc(b, func(q Process) bool { return q.Key == p.Key }) {
			all = append(all, p)
		}
	}
	return sortedByKey(all)
}
