package flows

import "encoding/binary"

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
	datagrams map[uint32]*datagram // by fragmentKey.number
	order     []uint32             // a ring, once it is full
	oldest    int
}

type fragmentKey struct {
	src, dst [16]byte
	id       uint32
	proto    Protocol
	iface    uint16
}

// fragmentOf is the key of a fragment's datagram.
func fragmentOf(o *Observation) fragmentKey {
	return fragmentKey{o.Src.Addr, o.Dst.Addr, o.FragID, o.Proto, o.Interface}
}

// number stands for the key where that has no room, which is where a tunnel's packet is in fragments: then the flow inside is all
// that is kept of the first. Of maxDatagrams at a time a further one shares it with another by a chance of one in a million, and then
// takes its place.
func (k *fragmentKey) number() uint32 {
	const k0, k1, k2 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3
	src := mix(binary.BigEndian.Uint64(k.src[:])^k0^hashSeed, binary.BigEndian.Uint64(k.src[8:])^k1)
	dst := mix(binary.BigEndian.Uint64(k.dst[:])^src, binary.BigEndian.Uint64(k.dst[8:])^k2)
	h := mix(dst^k1, uint64(k.id)<<32|uint64(k.iface)<<8|uint64(k.proto))
	return uint32(h ^ h>>32)
}

type datagram struct {
	key   fragmentKey // if keyed
	keyed bool
	known bool // who follows is
	seen  int64
	flow  Key // as the first fragment's sender sees it
	wait  []Observation
}

func newFragments() fragments { return fragments{datagrams: make(map[uint32]*datagram)} }

// place sets the flow of a later fragment and returns true, or keeps the fragment until its first comes
// and returns false.
func (f *fragments) place(t *Table, o *Observation) bool {
	d := f.datagram(t, o)
	if !d.known {
		f.keep(t, d, o)
		return false
	}
	d.take(o)
	return true
}

// take makes o a fragment of the datagram's flow.
func (d *datagram) take(o *Observation) {
	o.Src, o.Dst, o.Proto, o.IPv6 = d.flow.Local, d.flow.Remote, d.flow.Proto, d.flow.IPv6
	o.locate()
}

// release notes the flow of a first fragment and counts the fragments that waited for it.
func (f *fragments) release(t *Table, o *Observation) {
	d := f.datagram(t, o)
	d.known, d.flow = true, o.key()
	for i := range d.wait {
		d.take(&d.wait[i])
		t.add(&d.wait[i])
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
	carried := o.marks&markCarried != 0
	number, k := o.FragID, fragmentKey{}
	if !carried {
		k = fragmentOf(o)
		number = k.number()
	}
	d := f.datagrams[number]
	switch {
	case d == nil:
		d = &datagram{seen: o.Time}
		f.remember(t, number)
		f.datagrams[number] = d
	case o.Time-d.seen > fragmentLife, !carried && d.keyed && d.key != k:
		f.giveUp(t, d)
		*d = datagram{seen: o.Time}
	}
	if !carried {
		d.key, d.keyed = k, true
	}
	return d
}

// remember puts a new datagram in line and gives up the oldest where there are too many. It is a ring because moving
// 4096 keys for each fragment of a flood took longer than all else.
func (f *fragments) remember(t *Table, number uint32) {
	if len(f.order) < maxDatagrams {
		f.order = append(f.order, number)
		return
	}
	given := &f.order[f.oldest]
	f.giveUp(t, f.datagrams[*given])
	delete(f.datagrams, *given)
	*given = number
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
