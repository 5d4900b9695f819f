package flows

const (
	// fragmentLife is how long the fragments of one datagram belong together: Linux's
	// net.ipv4.ipfrag_time. Identifications are used again after that.
	fragmentLife = 30_000_000_000
	// maxDatagrams bounds the datagrams followed at a time, and maxWaiting the fragments of one that wait for
	// their first; past either, the oldest datagram is given up and what waited counts as undecoded.
	maxDatagrams = 4096
	maxWaiting   = 64
)

// fragments finds the flow of IP fragments that carry no ports (RFC 791 §3.2, RFC 8200 §4.5): the first fragment
// names it, and fragments that were captured earlier wait.
type fragments struct {
	datagrams map[fragmentKey]*datagram
	order     []fragmentKey // a ring, once it is full
	oldest    int
}

type fragmentKey struct {
	src, dst [16]byte
	id       uint32
	proto    Protocol
	iface    uint16
}

type datagram struct {
	seen             int64
	srcPort, dstPort uint16
	known            bool
	wait             []Observation
}

func newFragments() fragments { return fragments{datagrams: make(map[fragmentKey]*datagram)} }

// place sets the ports of a later fragment and returns true, or keeps the fragment until its first comes
// and returns false.
func (f *fragments) place(t *Table, o *Observation) bool {
	d := f.datagram(t, o)
	if !d.known {
		f.keep(t, d, o)
		return false
	}
	o.Src.Port, o.Dst.Port = d.srcPort, d.dstPort
	o.locate()
	return true
}

// release notes the ports of a first fragment and counts the fragments that waited for it.
func (f *fragments) release(t *Table, o *Observation) {
	d := f.datagram(t, o)
	d.known, d.srcPort, d.dstPort = true, o.Src.Port, o.Dst.Port
	for i := range d.wait {
		w := &d.wait[i]
		w.Src.Port, w.Dst.Port = d.srcPort, d.dstPort
		w.locate()
		t.add(w)
	}
	d.wait = nil
}

func (f *fragments) keep(t *Table, d *datagram, o *Observation) {
	if len(d.wait) == maxWaiting {
		t.countUndecoded(simple(kindFragment), 1, uint64(o.Frame))
		return
	}
	d.wait = append(d.wait, *o)
}

// datagram finds the datagram of a fragment or begins one.
func (f *fragments) datagram(t *Table, o *Observation) *datagram {
	k := fragmentKey{o.Src.Addr, o.Dst.Addr, o.FragID, o.Proto, o.Interface}
	d := f.datagrams[k]
	if d != nil && o.Time-d.seen <= fragmentLife {
		return d
	}
	if d != nil {
		f.giveUp(t, d)
		*d = datagram{seen: o.Time}
		return d
	}
	d = &datagram{seen: o.Time}
	f.remember(t, k)
	f.datagrams[k] = d
	return d
}

// remember puts a new datagram in line and gives up the oldest where there are too many. It is a ring because moving
// 4096 keys for each fragment of a flood took longer than all else.
func (f *fragments) remember(t *Table, k fragmentKey) {
	if len(f.order) < maxDatagrams {
		f.order = append(f.order, k)
		return
	}
	given := &f.order[f.oldest]
	f.giveUp(t, f.datagrams[*given])
	delete(f.datagrams, *given)
	*given = k
	f.oldest = (f.oldest + 1) % maxDatagrams
}

func (f *fragments) giveUp(t *Table, d *datagram) {
	for i := range d.wait {
		t.countUndecoded(simple(kindFragment), 1, uint64(d.wait[i].Frame))
	}
}

// waiting counts the fragments whose first has not come; bytes are frame bytes.
func (f *fragments) waiting() (packets, bytes uint64) {
	for _, d := range f.datagrams {
		for i := range d.wait {
			packets++
			bytes += uint64(d.wait[i].Frame)
		}
	}
	return packets, bytes
}
