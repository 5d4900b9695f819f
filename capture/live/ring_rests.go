package live

import "time"

// rests let several blocks of a ring come together before they are read. To be woken for each of them, 150 times a second where whole frames
// come at 150 MB/s, took a tenth and more of the processor time: the runtime's monitor looks every 20 µs while
// something goes on.
type rests struct {
	began, ended time.Time // the last one
	read         int       // blocks since it began
}

const (
	// restPart of the time that the kernel may keep a block back is for a rest: packets are not much later for it.
	restPart = 5
	// restBlocks is which part of the ring may become full meanwhile, if packets go on to come as they did: several times as many find room.
	restBlocks = 8
)

// next is how long to rest now that no block is there: not at all where packets come so slowly that blocks are apart.
func (r *rests) next(now time.Time, hold time.Duration, blocks int) (rest time.Duration) {
	if r.read > 0 {
		full := now.Sub(r.began) * time.Duration(blocks/restBlocks) / time.Duration(r.read)
		rest = max(0, min(hold/restPart-now.Sub(r.ended), full))
	}
	*r = rests{began: now, ended: now.Add(rest)}
	return rest
}
