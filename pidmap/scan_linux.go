package pidmap

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"apptap/pidmap/sockdiag"
)

// scanner looks at sockets and at who holds them, and remembers what it has told of.
type scanner struct {
	// mu guards everything below: the pipeline may ask for a Scan while Run is scanning. It is never held while
	// events are emitted, whose receiver may be the one that waits for the Scan.
	mu    sync.Mutex
	procs *procfs
	conn  *sockdiag.Conn

	dump    []sockdiag.Socket // reused
	inodes  []uint64          // reused
	sockets map[identity]*tracked
	byInode map[uint64]*tracked
	cache   map[int32]*cached
	looked  int64 // when the last dump began, nanoseconds since 1970 UTC
	stats   ScanStats
}

// tracked is a socket that was in the last dump.
type tracked struct {
	socket    Socket
	holders   []Process
	told      bool  // an event was made for the socket with this key
	notBefore int64 // the last dump that did not have it
	seen      int64 // the last dump that had it
}

// cached is a process as last described.
type cached struct {
	process Process
	stack   uint64 // procStat's, from before it was described
	holder  bool   // an event named it
}

// heldBy is who has which socket open, by inode.
type heldBy map[uint64][]Process

// scan dumps the sockets and, if all, looks through the descriptors of all processes; else only if there are
// sockets that were not told of yet.
func (s *scanner) scan(ctx context.Context, all bool) ([]Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	fresh, err := s.redump(ctx, began)
	if err != nil {
		return nil, err
	}
	dumped := time.Now().UnixNano()
	events := s.vanished(began)
	if all || fresh {
		held, err := s.allHolders(ctx)
		if err != nil {
			return events, err
		}
		events = s.appendSightings(events, held, dumped)
	}
	s.stats.add(time.Since(began), all || fresh)
	return append(events, Event{Kind: SocketsCurrent, Time: began.UnixNano()}), nil
}

// forgetTold makes the next scan tell of every socket again.
func (s *scanner) forgetTold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.sockets {
		t.told = false
	}
}

// redump brings sockets up to date. fresh says that there are some that were not told of.
func (s *scanner) redump(ctx context.Context, began time.Time) (fresh bool, err error) {
	if s.dump, err = s.conn.DumpAll(ctx, s.dump[:0]); err != nil {
		return false, err
	}
	now, before := began.UnixNano(), s.looked
	for i := range s.dump {
		socket := socketOf(&s.dump[i])
		id := socket.identity()
		t := s.sockets[id]
		if t == nil || t.socket.Key != socket.Key {
			t = &tracked{notBefore: before}
			s.sockets[id] = t
		}
		// A socket without an inode belongs to no file yet: the next dump may know more.
		fresh = fresh || !t.told || t.socket.Inode != socket.Inode
		t.socket, t.seen = socket, now
		if socket.Inode != 0 {
			s.byInode[socket.Inode] = t
		}
	}
	s.looked = now
	return fresh, nil
}

func socketOf(d *sockdiag.Socket) Socket {
	return Socket{
		Key: d.Key(), DualStack: d.DualStack(), Listening: d.State == sockdiag.Listen,
		Cookie: d.Cookie, Inode: uint64(d.Inode), UID: d.UID,
	}
}

// vanished tells of sockets that are no longer there.
func (s *scanner) vanished(began time.Time) (events []Event) {
	now := began.UnixNano()
	for id, t := range s.sockets {
		if t.seen == now {
			continue
		}
		events = s.drop(events, id, t, now)
	}
	return events
}

// drop forgets a socket that is gone, and tells so if it was told of.
func (s *scanner) drop(events []Event, id identity, t *tracked, now int64) []Event {
	delete(s.sockets, id)
	if s.byInode[t.socket.Inode] == t {
		delete(s.byInode, t.socket.Inode)
	}
	if !t.told {
		return events
	}
	return append(events, Event{Kind: SocketClosed, Time: now, Method: MethodSockDiag, Socket: t.socket, LastSeen: t.seen})
}

// closed tells that the kernel has destroyed a socket, if it was told of.
func (s *scanner) closed(events []Event, destroyed []sockdiag.Socket, now int64) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range destroyed {
		id := identity{cookie: destroyed[i].Cookie}
		if t := s.sockets[id]; t != nil {
			events = s.drop(events, id, t, now)
		}
	}
	return events
}

// allHolders looks through the descriptors of all processes. Those that end meanwhile, or are not ours to see, hold
// nothing that we know of.
func (s *scanner) allHolders(ctx context.Context) (heldBy, error) {
	pids, err := s.procs.pids()
	if err != nil {
		return nil, err
	}
	held := heldBy{}
	alive := make(map[int32]bool, len(pids))
	s.stats.Processes, s.stats.Denied = len(pids), 0
	for _, pid := range pids {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		alive[pid] = true
		if denied(s.addHolder(ctx, held, pid)) {
			s.stats.Denied++
		}
	}
	for pid := range s.cache {
		if !alive[pid] {
			delete(s.cache, pid)
		}
	}
	return held, nil
}

// addHolder adds the sockets that a process has open.
func (s *scanner) addHolder(ctx context.Context, held heldBy, pid int32) error {
	d, err := s.procs.open(pid)
	if err != nil {
		return err
	}
	defer d.close()
	s.inodes, err = s.procs.appendSockets(s.inodes[:0], d)
	if len(s.inodes) == 0 {
		return err
	}
	p, err := s.process(ctx, d)
	if err != nil {
		return err
	}
	slices.Sort(s.inodes)
	for _, inode := range slices.Compact(s.inodes) {
		held[inode] = append(held[inode], p)
	}
	return nil
}

// process describes a process, anew only if it is another one or another program than before. The executable
// does not tell two scripts of one interpreter apart; the place of the stack does, and comes with the stat that is
// read anyhow. Without address randomisation it may be the same, then only the proc connector tells. One that
// vanishes under our hands keeps what is known of it.
func (s *scanner) process(ctx context.Context, d procDir) (Process, error) {
	c := s.cache[d.pid]
	stat, err := d.stat()
	if err != nil {
		if c != nil {
			return c.process, nil // it held the sockets when they were listed: only now it is gone
		}
		return Process{}, err
	}
	if c != nil && c.process.Key.Start == stat.start && (stat.stack == 0 || stat.stack == c.stack) {
		exe := s.procs.executable(d)
		if exe == "" || exe == c.process.Path {
			return c.process, nil
		}
	}
	return s.describe(ctx, d)
}

func (s *scanner) describe(ctx context.Context, d procDir) (Process, error) {
	before, err := d.stat() // of before: what is described later can only be newer, and then is described again
	if err != nil {
		return Process{}, err
	}
	p, err := s.procs.describe(ctx, d)
	if err != nil {
		return p, err
	}
	old := s.cache[d.pid]
	s.cache[d.pid] = &cached{process: p, stack: before.stack, holder: old != nil && old.holder && old.process.Key == p.Key}
	return p, nil
}

// appendSightings tells of the sockets that are new or whose holders have changed.
func (s *scanner) appendSightings(events []Event, held heldBy, dumped int64) []Event {
	for _, t := range s.sockets {
		holders := sortedByKey(held[t.socket.Inode]) // nobody holds inode 0
		if t.told && sameHolders(t.holders, holders) {
			continue
		}
		if t.told && len(holders) == 0 {
			continue // its holder is gone and the kernel still works it off: the last holder stays the owner
		}
		events = append(events, s.tell(t, holders, dumped))
	}
	return events
}

func (s *scanner) tell(t *tracked, holders []Process, now int64) Event {
	t.told, t.holders = true, holders
	for _, p := range holders {
		if c := s.cache[p.Key.PID]; c != nil {
			c.holder = true
		}
	}
	return Event{
		Kind: SocketSeen, Time: now, Method: MethodSockDiag,
		Socket: t.socket, Holders: holders, NotBefore: t.notBefore,
	}
}

func sortedByKey(processes []Process) []Process {
	slices.SortFunc(processes, func(a, b Process) int { return a.Key.Compare(b.Key) })
	return processes
}

func denied(err error) bool {
	return errors.Is(err, errDenied[0]) || errors.Is(err, errDenied[1])
}
