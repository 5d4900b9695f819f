package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// The methods by which a capture file itself tells of owners.
const (
	MethodPKTAP        Method = "pktap"            // the packet's own PKTAP header
	MethodProcessBlock Method = "process_block"    // a process block of a pcapng file
	MethodWireshark    Method = "wireshark_block"  // Wireshark's custom block of a process
	MethodPacketPID    Method = "packet_pid"       // a PID in the packet's options
	MethodPtcpdump     Method = "ptcpdump_comment" // comments of the packet
	MethodRustnet      Method = "rustnet_comment"
	MethodMatrixNet    Method = "matrixnet_comment"
)

// InFile are the owners that a capture file states packet by packet. A process belongs to the endpoint of a flow: a
// flow on the loopback interface has one at each side. Add is for one goroutine; Owner may be called concurrently
// while nobody adds.
type InFile struct {
	apps    MacApps
	stated  map[side][]stated  // by time
	dropped map[side]bool      // sides of which not all is kept
	named   map[int32]*Process // by PID, where something names the process
}

// side is an end of a flow: of the key local -> remote as the process sees it or, where nothing says at which end the process
// is, of both, with the lesser endpoint as the local one.
type side struct {
	flows.Key
	either bool
}

// maxNamed bounds InFile.named.
const maxNamed = 65536

// stated is an uninterrupted run of packets of one process at one endpoint.
type stated struct {
	process     *Process
	app         App
	method      Method
	first, last int64
	moved       Moved
}

// maxStated bounds the runs kept of a key: a socket that two processes use in turn.
const maxStated = 64

// NewInFile makes an empty InFile.
func NewInFile() *InFile {
	return &InFile{stated: map[side][]stated{}, dropped: map[side]bool{}, named: map[int32]*Process{}}
}

// Sighting is what one packet says of its owner.
type Sighting struct {
	Key      flows.Key // the process's own end is Local, unless Sideless
	Time     int64     // nanoseconds since 1970 UTC
	Process  *Process  // the same pointer for the same process; not changed afterwards
	Method   Method
	Outgoing bool   // from Key.Local
	Sideless bool   // the process may be at either end
	Bytes    uint32 // frame bytes, which weigh processes that share a flow
}

// Add takes in what a packet says. Packets may come in any order.
func (f *InFile) Add(s *Sighting) {
	f.name(s.Process)
	at := side{s.Key, false}
	if s.Sideless {
		turned := false
		if at, turned = eitherSide(s.Key); turned {
			t := *s
			t.Outgoing = !s.Outgoing
			s = &t
		}
	}
	runs := f.stated[at]
	if n := len(runs); n > 0 && runs[n-1].process == s.Process && runs[n-1].method == s.Method {
		runs[n-1].extend(s)
		return
	}
	if len(runs) == maxStated {
		f.mix(at, runs, s)
		return
	}
	r := stated{process: s.Process, app: f.app(s), method: s.Method, first: s.Time, last: s.Time}
	r.extend(s)
	f.stated[at] = append(runs, r)
}

// mix adds to the latest run of the process what has no room as a run of its own.
func (f *InFile) mix(at side, runs []stated, s *Sighting) {
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].process == s.Process {
			runs[i].extend(s)
			return
		}
	}
	f.dropped[at] = true
}

func (r *stated) extend(s *Sighting) {
	r.first, r.last = min(r.first, s.Time), max(r.last, s.Time)
	if s.Outgoing {
		r.moved.Tx += uint64(s.Bytes)
	} else {
		r.moved.Rx += uint64(s.Bytes)
	}
}

// Len is how many flows' owners are kept, each side of a flow being one.
func (f *InFile) Len() int { return len(f.stated) }

// Owner says who owned the local side of a flow that lasted from first to last (nanoseconds since 1970 UTC), as
// History.Owner does. Several processes of a flow share it, in proportion to the bytes of the packets that are theirs.
func (f *InFile) Owner(key flows.Key, _ flows.Initiator, first, last int64) Attribution {
	if a := f.ownerAt(side{key, false}, first, last); a.Reason != ReasonNoOwnerInFile {
		return a
	}
	at, turned := eitherSide(key)
	a := f.ownerAt(at, first, last)
	if turned {
		for i := range a.Shares {
			a.Shares[i].Tx, a.Shares[i].Rx = a.Shares[i].Rx, a.Shares[i].Tx
		}
	}
	if a.Known() && withinHost(key) {
		return Attribution{Reason: ReasonAmbiguous, Candidates: []Process{a.Process}}
	}
	return a
}

// withinHost says that both ends are this host's for certain.
func withinHost(key flows.Key) bool {
	return key.Local.Addr == key.Remote.Addr || key.LocalAddr().Addr().IsLoopback()
}

func (f *InFile) ownerAt(at side, first, last int64) Attribution {
	var shares []Share
	var method Method
	for i := range f.stated[at] {
		r := f.stated[at][i]
		if r.first > last || r.last < first {
			continue
		}
		if f.complete(&r); method == "" {
			method = r.method
		}
		shares = shareWith(shares, &r)
	}
	if len(shares) == 0 {
		return Attribution{Reason: ReasonNoOwnerInFile}
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Tx+b.Rx, a.Tx+a.Rx), a.Process.Key.Compare(b.Process.Key), cmp.Compare(a.App.ID, b.App.ID))
	})
	if f.dropped[at] {
		return Attribution{Reason: ReasonAmbiguous, Candidates: processesOf(shares)}
	}
	a := Attribution{App: shares[0].App, Process: shares[0].Process, Method: method}
	if len(shares) > 1 {
		a.Shares = shares
	}
	return a
}

// shareWith adds a run to the share of its process.
func shareWith(shares []Share, r *stated) []Share {
	for i := range shares {
		if s := &shares[i]; s.Process.Key == r.process.Key && s.Process.Name == r.process.Name && s.App.ID == r.app.ID {
			s.Tx, s.Rx = s.Tx+r.moved.Tx, s.Rx+r.moved.Rx
			return shares
		}
	}
	return append(shares, Share{r.app, *r.process, r.moved})
}

// Forget drops what was over at the given time of one side of a flow.
func (f *InFile) Forget(key flows.Key, time int64) {
	either, _ := eitherSide(key)
	for _, at := range [...]side{{key, false}, either} {
		left := slices.DeleteFunc(f.stated[at], func(r stated) bool { return r.last <= time })
		if len(left) == 0 {
			delete(f.stated, at)
			delete(f.dropped, at)
			continue
		}
		f.stated[at] = left
	}
}
