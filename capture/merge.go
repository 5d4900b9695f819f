package capture

import (
	"errors"
	"io"
)

// Merge returns a Source of all packets of sources by time: at each step the source whose next packet
// is the oldest gives it, the first of them on a tie. Packets of one source stay in that source's
// order even where their times run backwards. Interfaces are those of all sources, each with its own
// index, listed as they become known.
//
// A source that fails does not stop the others: its error comes after the last packet of all, joined
// with those of other sources. The exception is ErrTimeout, which is passed on at once: Merge is meant
// for files, and a live source in it holds up the rest. Close closes every source.
func Merge(sources []Source) Source {
	if len(sources) == 1 {
		return sources[0]
	}
	m := &merged{sources: sources, indexes: make([][]int, len(sources)), pending: make([]Packet, len(sources))}
	for i := range sources {
		m.behind = append(m.behind, i)
		m.learn(i)
	}
	return m
}

// merged holds one pending packet of each source, without a copy of its bytes: they are valid until
// that source is asked again, and that happens only after its packet was handed out and done with.
type merged struct {
	sources []Source
	pending []Packet
	heap    []int // sources with a pending packet, the oldest first
	behind  []int // sources to be asked before the next packet is chosen
	places  []place
	indexes [][]int // of each source: its interface numbers -> index into places
	seen    []Interface
	errs    []error
}

// place is where an interface of the merged list comes from.
type place struct{ source, index int }

// Next implements Source.
func (m *merged) Next(p *Packet) error {
	for len(m.behind) > 0 {
		if err := m.ask(m.behind[0]); err != nil {
			return err
		}
		m.behind = m.behind[:copy(m.behind, m.behind[1:])]
	}
	if len(m.heap) == 0 {
		if len(m.errs) == 0 {
			return io.EOF
		}
		return errors.Join(m.errs...)
	}
	oldest := m.heap[0]
	*p = m.pending[oldest]
	m.popOldest()
	m.behind = append(m.behind, oldest)
	return nil
}

// ask fetches the next packet of source i and puts it on the heap.
func (m *merged) ask(i int) error {
	err := m.sources[i].Next(&m.pending[i])
	switch {
	case errors.Is(err, ErrTimeout):
		return err
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		m.errs = append(m.errs, err)
		return nil
	}
	if m.pending[i].Interface >= len(m.indexes[i]) {
		m.learn(i)
	}
	m.pending[i].Interface = m.indexes[i][m.pending[i].Interface]
	m.push(i)
	return nil
}

// learn gives every new interface of source i an index.
func (m *merged) learn(i int) {
	for n := len(m.indexes[i]); n < len(m.sources[i].Interfaces()); n++ {
		m.indexes[i] = append(m.indexes[i], len(m.places))
		m.places = append(m.places, place{i, n})
	}
}

// before orders the heap: by time, then by the order of the sources.
func (m *merged) before(a, b int) bool {
	if m.pending[a].Time != m.pending[b].Time {
		return m.pending[a].Time < m.pending[b].Time
	}
	return a < b
}

func (m *merged) push(i int) {
	m.heap = append(m.heap, i)
	for at := len(m.heap) - 1; at > 0; {
		parent := (at - 1) / 2
		if !m.before(m.heap[at], m.heap[parent]) {
			return
		}
		m.heap[at], m.heap[parent] = m.heap[parent], m.heap[at]
		at = parent
	}
}

func (m *merged) popOldest() {
	last := len(m.heap) - 1
	m.heap[0] = m.heap[last]
	m.heap = m.heap[:last]
	for at := 0; ; {
		first := at
		for _, child := range [2]int{2*at + 1, 2*at + 2} {
			if child < last && m.before(m.heap[child], m.heap[first]) {
				first = child
			}
		}
		if first == at {
			return
		}
		m.heap[at], m.heap[first] = m.heap[first], m.heap[at]
		at = first
	}
}

// Interfaces implements Source. Their Stats are as fresh as the sources'.
func (m *merged) Interfaces() []Interface {
	for i := range m.sources {
		m.learn(i)
	}
	m.seen = m.seen[:0]
	for _, p := range m.places {
		m.seen = append(m.seen, m.sources[p.source].Interfaces()[p.index])
	}
	return m.seen
}

// Stats implements Source.
func (m *merged) Stats() Stats {
	var sum Stats
	for _, s := range m.sources {
		sum = sum.Add(s.Stats())
	}
	return sum
}

// Close implements Source.
func (m *merged) Close() error {
	var errs []error
	for _, s := range m.sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
