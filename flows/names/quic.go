package names

type quicNames struct{}

func (q *quicNames) reset()        {}
func (q *quicNames) partial(*Seen) {}

// Datagram takes the UDP payload b.
func (s *Sniffer) Datagram(side Side, at int64, b []byte) (done bool) { return true }
