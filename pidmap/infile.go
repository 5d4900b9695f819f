package pidmap

import (
	"cmp"
	"slices"

	"apptap/flows"
)

// The methods by which a capture file itself tells of owners.
const (
	MethodPKTAP        Method = "pktap"         // the packet's own PKTAP header
	MethodProcessBlock Method = "process_block" // a process block of a pcapng file
)

// InFile are the owners that a capture file states packet by packet. A process belongs to the endpoint of a flow: a
// flow on the loopback interface has one at each side. Add is for one goroutine; Owner may be called concurrently
// while nobody adds.
type InFile struct {
	apps    MacApps
	stated  map[flows.Key][]stated // local -> remote as the process sees it, by time
	dropped map[flows.Key]bool     // keys of which not all is kept
}

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
	return &InFile{stated: map[flows.Key][]stated{}, dropped: map[flows.Key]bool{}}
}

// Sighting is what one packet says of its owner.
type Sighting struct {
	Key      flows.Key // the process's own end is Local
	Time     int64     // nanoseconds since 1970 UTC
	Process  *Process  // the same pointer for the same process; not changed afterwards
	Method   Method
	Outgoing bool
	Bytes    uint32 // frame bytes, which weigh processes that share a flow
}

// Add takes in what a packet says. Packets may come in any order.
func (f *InFile) Add(s *Sighting) {
	runs := f.stated[s.Key]
	if n := len(runs); n > 0 && runs[n-1].process == s.Process && runs[n-1].method == s.Method {
		runs[n-1].extend(s)
		return
	}
	if len(runs) == maxStated {
		f.mix(runs, s)
		return
	}
	r := stated{process: s.Process, app: f.apps.App(*s.Process), method: s.Method, first: s.Time, last: s.Time}
	r.extend(s)
	f.stated[s.Key] = append(runs, r)
}

// mix adds to the latest run of the process what has no room as a run of its own.
func (f *InFile) mix(runs []stated, s *Sighting) {
	for i := len(runs) - 1; i >= 0; i-- {
		if runs[i].process == s.Process {
			runs[i].extend(s)
			return
		}
	}
	f.dropped[s.Key] = true
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
	var shares []Share
	var method Method
	for i := range f.stated[key] {
		r := &f.stated[key][i]
		if r.first > last || r.last < first {
			continue
		}
		if method == "" {
			method = r.method
		}
		shares = shareWith(shares, r)
	}
	if len(shares) == 0 {
		return Attribution{Reason: ReasonNoOwnerInFile}
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Tx+b.Rx, a.Tx+a.Rx), a.Process.Key.Compare(b.Process.Key), cmp.Compare(a.App.ID, b.App.ID))
	})
	if f.dropped[key] {
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
	left := slices.DeleteFunc(f.stated[key], func(r stated) bool { return r.last <= time })
	if len(left) == 0 {
		delete(f.stated, key)
		delete(f.dropped, key)
		return
	}
	f.stated[key] = left
}
