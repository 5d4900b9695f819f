package flows

import "apptap/flows/names"

// maxStill is how many directions of QUIC flows a mover remembers, in 4 KiB.
const maxStill = 1 << 10

// mover finds the first packets of connections of QUIC that go on over another 5-tuple, for a Follower: by the connection
// IDs that the Initials had. A packet of a direction that it has forgotten is looked up again, and does no harm.
type mover struct {
	ids   names.Moves
	still [maxStill]uint32 // tags of directions that were looked at
}

// wants takes a datagram of tag's direction; true says that it may name a flow that began elsewhere.
func (m *mover) wants(tag uint32, payload []byte) bool {
	at := &m.still[tag%maxStill]
	if *at == tag {
		return false
	}
	*at = tag
	_, known := m.ids.Name(payload)
	return known
}

// readQUIC learns of a datagram whose connection it is, and names the flow if that had begun on another 5-tuple; true says
// that nothing more is wanted of it.
func (b *nameBook) readQUIC(flow uint32, payload []byte) (read bool) {
	known := b.known(flow)
	if names.IsShort(payload) {
		if number, moved := b.moves.Name(payload); moved && known.quic == 0 && number > 0 {
			b.finish(flow)
			b.at(flow).quic = number
		}
		return true
	}
	if known.quic > 0 {
		b.moves.Learn(payload, known.quic)
	}
	return known.quic > 0
}
