package names

// maxFree bounds how many idle sniffers are kept, and memory to some 5 MiB.
const maxFree = 256

// Pool keeps sniffers for use again: most flows need one for a few packets. The zero value is ready. Not safe for
// concurrent use.
type Pool struct {
	free []*Sniffer
}

// Get returns a sniffer that has seen nothing.
func (p *Pool) Get() *Sniffer {
	if n := len(p.free); n > 0 {
		s := p.free[n-1]
		p.free = p.free[:n-1]
		return s
	}
	return &Sniffer{}
}

// Put takes s back; its Seen has been asked for before.
func (p *Pool) Put(s *Sniffer) {
	s.Reset()
	if len(p.free) < maxFree {
		p.free = append(p.free, s)
	}
}
