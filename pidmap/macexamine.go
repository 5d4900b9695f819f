package pidmap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"apptap/flows"
	"apptap/pidmap/libproc"
	"apptap/pidmap/nettop"
	"apptap/pidmap/ntstat"
)

// MacExamination is what one look at every source of a Mac finds, for apptap doctor: whether this Mac tells what apptap expects.
type MacExamination struct {
	System  map[string]string // build, version and model, by sysctl
	Sources []MacSource
	// Agreement is of each two sources that see connected sockets, at one moment.
	Agreement []MacAgreement
	// Messages are one of each kind that the statistics control sent, in hexadecimal, without addresses, names and UUIDs.
	Messages []string
	// Answer is what the statistics control did; nil if it cannot be heard.
	Answer *MacAnswer
	// Responsible is for how many processes the system holds which other one responsible.
	Responsible map[string]int
}

// MacSource is one source.
type MacSource struct {
	Name string
	Err  error // why it is of no use, nil if it is
	// Sockets is how many connected TCP and UDP sockets and flows it told of.
	Sockets int
	// Lengths are those of the kernel's structures, in bytes.
	Lengths map[string]int
	Took    time.Duration // to ask it once
}

// MacAgreement is how far two sources say the same of the sockets that both tell of.
type MacAgreement struct {
	A, B         string
	Same, Differ int // sockets of the same process, and of different ones
	OnlyA, OnlyB int
}

// seenBy are the processes that a source names for each connected socket: who has it, and on whose behalf.
type seenBy map[flows.Key][]int32

// Examine asks every source once, one right after another. It is for a system that nobody watches with.
func Examine(system MacSystem) *MacExamination {
	x := &MacExamination{}
	procs := newMacProcs(system.ProcInfo)
	procs.apps.Files, procs.apps.Responsible = system.Files, system.Responsible
	seen := map[string]seenBy{}
	look := func(name string, by func(*MacSource) (seenBy, error)) {
		s := MacSource{Name: name, Lengths: map[string]int{}}
		began := time.Now()
		sockets, err := by(&s)
		s.Err, s.Sockets, s.Took = err, len(sockets), time.Since(began)
		x.Sources = append(x.Sources, s)
		if sockets != nil {
			seen[name] = sockets
		}
	}
	look("ntstat", func(s *MacSource) (seenBy, error) { return x.ntstat(s, &system, procs) })
	look("libproc", func(s *MacSource) (seenBy, error) { return lookLibproc(s, &system, procs) })
	look("pcblist", func(s *MacSource) (seenBy, error) { return lookPCBs(s, &system) })
	look("nettop", func(*MacSource) (seenBy, error) { return lookNettop(&system) })
	x.Responsible = procs.responsibles()
	names := slices.Sorted(maps.Keys(seen))
	for i, a := range names {
		for _, b := range names[i+1:] {
			x.Agreement = append(x.Agreement, agreement(a, b, seen[a], seen[b]))
		}
	}
	return x
}

func agreement(nameA, nameB string, a, b seenBy) MacAgreement {
	g := MacAgreement{A: nameA, B: nameB}
	for key, pids := range a {
		others, both := b[key]
		switch {
		case !both:
			g.OnlyA++
		case slices.ContainsFunc(pids, func(pid int32) bool { return slices.Contains(others, pid) }):
			g.Same++
		default:
			g.Differ++
		}
	}
	for key := range b {
		if _, both := a[key]; !both {
			g.OnlyB++
		}
	}
	return g
}

// appendPIDs appends who has a socket and on whose behalf, 0 being nobody: two sources agree if they name one process of it both.
func appendPIDs(pids []int32, pid, effective int32) []int32 {
	if pids = append(pids, pid); effective != 0 {
		pids = append(pids, effective)
	}
	return pids
}

// connected says that both ends of a key are known.
func connected(k flows.Key) bool { return k.Local.Port != 0 && k.Remote.Port != 0 }

func (x *MacExamination) ntstat(s *MacSource, system *MacSystem, procs *macProcs) (seenBy, error) {
	conn, err := system.Flows()
	if err != nil {
		return nil, err
	}
	defer conn.Close() // nothing is on its way
	f, err := openMacFlows(conn, procs)
	if err != nil {
		return nil, err
	}
	f.samples = &ntstatSamples{seen: map[string]bool{}, lengths: s.Lengths, pids: seenBy{}, own: map[uint64]bool{}}
	x.Answer = &f.samples.answer
	if err = f.poll(); err == nil {
		_, err = f.receive(nil, func() int64 { return 0 })
	}
	x.Messages, x.Answer.Flows = f.samples.messages, flowsByProvider(f.told)
	if err == nil && f.polling {
		err = fmt.Errorf("the answer has no end")
	}
	if err == nil && system.Talk != nil {
		pids := maps.Clone(f.samples.pids)
		err = f.hearLife(system.Talk)
		f.samples.pids = pids // the connection is no other source's
	}
	for p, refused := range f.refused {
		if err == nil {
			err = fmt.Errorf("flows of provider %d are not told of: %w", p, refused)
		}
	}
	return f.samples.pids, err
}

// ntstatSamples keeps one message of each kind and size.
type ntstatSamples struct {
	seen     map[string]bool
	lengths  map[string]int
	messages []string
	pids     seenBy
	answer   MacAnswer
	moment   string          // of the life that is heard of, "" = of none
	own      map[uint64]bool // this process's flows of it
}

func (n *ntstatSamples) add(m ntstat.Message) {
	if n == nil {
		return
	}
	provider, size, ok := ntstat.DescriptorSize(m)
	if !ok {
		return
	}
	n.lengths["descriptor of provider "+strconv.Itoa(int(provider))] = size
	if kind := fmt.Sprint(m.Kind, provider, size); !n.seen[kind] {
		n.seen[kind] = true
		n.messages = append(n.messages, hex.EncodeToString(ntstat.Anonymise(m)))
	}
	if f, err := ntstat.Decode(m); err == nil && connected(f.Key) {
		n.pids[f.Key] = appendPIDs(n.pids[f.Key], f.PID, f.Effective)
	}
}

func lookLibproc(s *MacSource, system *MacSystem, procs *macProcs) (seenBy, error) {
	all, stats, err := procs.sockets(system.Refused)
	pids := seenBy{}
	for key, socket := range all {
		if !connected(key) {
			continue
		}
		for _, p := range socket.holders {
			pids[key] = append(pids[key], p.Key.PID)
		}
	}
	procs.measure(s.Lengths)
	if err == nil && wantsRoot(stats) {
		err = fmt.Errorf("%d of %d processes do not show their sockets: run as root", stats.Denied, stats.Processes)
	}
	return pids, err
}

// measure asks for the structures with room for more than they should have.
func (m *macProcs) measure(lengths map[string]int) {
	const room = 256
	ask := func(name string, number, pid, flavor int32, arg uint64, size int) {
		if n, err := m.call(number, pid, flavor, arg, make([]byte, size+room)); err == nil {
			lengths[name] = n
		}
	}
	for _, pid := range slices.Clone(m.pids) {
		ask("proc_bsdinfo", procPIDInfo, pid, flavorProcess, 0, libproc.ProcessSize)
		ask("proc_bsdshortinfo", procPIDInfo, pid, flavorShort, 0, libproc.ShortProcessSize)
		b, err := m.list(procPIDInfo, pid, flavorFDs)
		if err != nil {
			continue
		}
		if m.fds = libproc.Sockets(m.fds[:0], b); len(m.fds) > 0 {
			ask("socket_fdinfo", procFDInfo, pid, flavorSocket, uint64(m.fds[0]), libproc.SocketSize)
		}
		if len(lengths) == 3 {
			return
		}
	}
}

func lookPCBs(s *MacSource, system *MacSystem) (seenBy, error) {
	if system.PCBs == nil {
		return nil, fmt.Errorf("this system has none")
	}
	pids := seenBy{}
	for name, proto := range map[string]flows.Protocol{"net.inet.tcp.pcblist_n": flows.TCP, "net.inet.udp.pcblist_n": flows.UDP} {
		b, err := system.PCBs(name)
		if err != nil {
			return nil, fmt.Errorf("sysctl %s: %w", name, err)
		}
		for kind, size := range libproc.RecordSizes(b) {
			s.Lengths[fmt.Sprintf("record of kind %#x", kind)] = size
		}
		sockets, err := libproc.AppendPCBs(nil, b, proto)
		if err != nil {
			return nil, fmt.Errorf("sysctl %s: %w", name, err)
		}
		for _, socket := range sockets {
			if connected(socket.Key) && socket.PID != 0 {
				pids[socket.Key] = appendPIDs(pids[socket.Key], socket.PID, socket.Effective)
			}
		}
	}
	return pids, nil
}

func lookNettop(system *MacSystem) (seenBy, error) {
	if system.Nettop == nil {
		return nil, fmt.Errorf("this system has none")
	}
	text, err := system.Nettop()
	if err != nil {
		return nil, err
	}
	rows, err := nettop.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	pids := seenBy{}
	for _, r := range rows {
		if r.Flow && connected(r.Key) {
			pids[r.Key] = append(pids[r.Key], r.PID)
		}
	}
	return pids, nil
}
