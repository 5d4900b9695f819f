package flows

import (
	"cmp"
	"iter"
	"slices"
)

const (
	// carryWindow is how long a tunnel's program may take between a packet inside and the datagram that carries it: it waits
	// for a processor, and sends a queue in one go. Nanoseconds.
	carryWindow = 200_000_000
	// maxAdded is how much longer than the packet inside a datagram may be: WireGuard adds 32 bytes and up to 15 of padding,
	// OpenVPN up to 69, IKE's ESP in UDP (RFC 3948) up to 60.
	maxAdded = 128
	// addedRange is how much the added length may change within a tunnel: padding to 16 bytes.
	addedRange = 16
	// minCarried is how many packets must have matched before a flow is taken for a carrier.
	minCarried = 16
	// maxPassing bounds the packets that wait for their counterpart by flow and tunnel.
	maxPassing = 1024
	// carryReach is how many packets ahead of the next one a counterpart may be: others of other peers are between.
	carryReach = 32
)

// matches are the packets inside a tunnel and the datagrams of one direction of a flow that may be each other's. Whichever is
// captured first waits; both keep their order.
type matches struct {
	inward  bool    // the datagram is captured first, else the packet inside
	next    uint64  // of those that wait
	early   waiting // what was looked up before the range was known, to be looked up again
	found   uint64
	by      [maxAdded]carried
	fitting added
	reduced uint64 // of the bytes matched: what the flow was told of
}

// carried are packets by how much longer their datagrams were, with the bytes inside.
type carried struct{ packets, bytes uint64 }

// added is the range of added lengths that most datagrams fall into, once it is known.
type added struct {
	low, end int
	learned  uint64 // of how many packets, 0: not known
}

// take looks for what p is the counterpart of. The first matches may be by chance, such as that of the packet that sets off a
// handshake with the handshake: once the range is known, all is looked up again.
func (m *matches) take(p passing, among *waiting) {
	found := m.match(p, among)
	if m.fitting.learned > 0 {
		if m.found >= 2*m.fitting.learned {
			m.fitting.learn(&m.by, m.found)
		}
		return
	}
	m.early.push(p)
	if !found || m.found < minCarried || !m.fitting.learn(&m.by, m.found) {
		return
	}
	m.next, m.found, m.by = 0, 0, [maxAdded]carried{}
	for _, p := range m.early.list {
		m.match(p, among)
	}
	m.early = waiting{}
}

func (m *matches) match(p passing, among *waiting) bool {
	n, found := among.find(m.next, p.time-carryWindow, func(waits uint32) bool {
		_, more := m.sides(p.length, waits)
		return m.fitting.has(more)
	})
	if !found {
		return false
	}
	inside, more := m.sides(p.length, among.list[n-among.first].length)
	m.by[more].packets++
	m.by[more].bytes += uint64(inside)
	m.found++
	m.next = n + 1
	return true
}

// sides tells the packet inside from the datagram, and how much longer that is.
func (m *matches) sides(came, waited uint32) (inside uint32, more int) {
	if m.inward {
		return came, int(waited) - int(came)
	}
	return waited, int(came) - int(waited)
}

// usual is what was matched with the added lengths that most have.
func (m *matches) usual() carried {
	_, most := usual(&m.by)
	return most
}

// has says whether a datagram that is so much longer may carry a packet.
func (a *added) has(more int) bool {
	if a.learned == 0 {
		return more >= 0 && more < maxAdded
	}
	return more >= a.low && more < a.end
}

// learn settles the range after so many matches, and says whether there is enough to tell. All ranges are in it that have nearly
// as many packets as the one that has the most: which padding is the longest shows late.
func (a *added) learn(by *[maxAdded]carried, matches uint64) bool {
	_, most := usual(by)
	if most.packets < minCarried {
		return false
	}
	*a = added{low: maxAdded, learned: matches}
	for low, sum := range ranges(by) {
		if sum.packets*8 >= most.packets*7 {
			a.low, a.end = min(a.low, low), low+addedRange
		}
	}
	return true
}

// usual is the range of added lengths with the most packets, and what is in it.
func usual(by *[maxAdded]carried) (low int, most carried) {
	for start, sum := range ranges(by) {
		if sum.packets > most.packets {
			low, most = start, sum
		}
	}
	return low, most
}

// ranges are all ranges of added lengths by where they begin, and what is in each.
func ranges(by *[maxAdded]carried) iter.Seq2[int, carried] {
	return func(yield func(int, carried) bool) {
		var sum carried
		for n, c := range by {
			sum.packets, sum.bytes = sum.packets+c.packets, sum.bytes+c.bytes
			if n < addedRange-1 {
				continue
			}
			low := n - (addedRange - 1)
			if !yield(low, sum) {
				return
			}
			sum.packets, sum.bytes = sum.packets-by[low].packets, sum.bytes-by[low].bytes
		}
	}
}

// waiting is a queue of packets in order of time, numbered from the first there ever was.
type waiting struct {
	list  []passing
	first uint64
}

type passing struct {
	time   int64
	length uint32
}

func (w *waiting) end() uint64 { return w.first + uint64(len(w.list)) }

func (w *waiting) push(p passing) {
	if len(w.list) == maxPassing {
		w.list = append(w.list[:0], w.list[maxPassing/2:]...)
		w.first += maxPassing / 2
	}
	w.list = append(w.list, p)
}

// find returns the number of the first packet from next on that is not older than since and fits; false if there is none in reach.
func (w *waiting) find(next uint64, since int64, fits func(length uint32) bool) (n uint64, found bool) {
	left := w.list[min(max(next, w.first), w.end())-w.first:]
	young, _ := slices.BinarySearchFunc(left, since, func(p passing, since int64) int { return cmp.Compare(p.time, since) })
	left = left[young:]
	for i := range left[:min(carryReach, len(left))] {
		if fits(left[i].length) {
			return w.end() - uint64(len(left)) + uint64(i), true
		}
	}
	return 0, false
}
