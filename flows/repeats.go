package flows

import "encoding/binary"

// Trace is what tells a packet from others of its flow and stays as it is from hop to hop, beside what an Observation has:
// no TTL, no checksum, no link-layer address.
type Trace struct {
	id     uint16 // IPv4 identification, 0 with IPv6
	prefix uint64 // the first payload bytes, 0 where fewer were captured
}

func traceOf(id uint16, payload []byte) Trace {
	if len(payload) < 8 {
		return Trace{id: id}
	}
	return Trace{id, binary.BigEndian.Uint64(payload)}
}

const (
	// repeatWindow is how far apart two sightings of one packet may be, in nanoseconds: a queue on the way holds a packet
	// for some hundred milliseconds at most, and TCP sends again after 200 ms (Linux TCP_RTO_MIN), which is told apart by
	// the interface.
	repeatWindow = 1_000_000_000
	// maxSightings bounds each of two generations: 64 bytes a packet and its place in the map, some 20 MiB in all.
	maxSightings = 1 << 16
	// maxAlike bounds what is compared for one packet: packets that nothing tells apart.
	maxAlike = 64
	// maxRepeatInterfaces is how many interfaces a sighting can note. Packets of others are never repeats.
	maxRepeatInterfaces = 64
)

// Repeats recognises packets that were captured before on another interface. A packet that comes again on the same
// interface is another packet: it was sent again. It is not safe for concurrent use.
//
// Sightings may come in any order, as the interfaces' readers deliver them. Of several the smallest frame counts: inside a
// tunnel that is the one without the tunnel's headers.
type Repeats struct {
	young, old map[trace][]sighting
	sightings  int   // in young
	born       int64 // when young began, nanoseconds since 1970 UTC
}

// Repeated are frames that were captured before on another interface, and their frame bytes. What a tunnel added to a
// packet that counts without it is among the bytes.
type Repeated struct{ Packets, Bytes uint64 }

type trace struct {
	pair
	fromLow, later   bool
	flags            TCPFlags
	seq, ack, length uint32
	frag             uint32
	Trace
}

// sighting is one packet wherever it was seen.
type sighting struct {
	time  int64  // of the first sighting that arrived
	on    uint64 // a bit for each interface
	frame uint32 // the smallest
}

// NewRepeats makes an empty Repeats.
func NewRepeats() *Repeats {
	return &Repeats{young: make(map[trace][]sighting), old: make(map[trace][]sighting)}
}

// Frame says what a packet adds. If it was not seen before that is all of it: again is false. If it was, the packet does not
// count, and its flow has excess frame bytes too many, because another interface's larger frame was counted.
func (r *Repeats) Frame(o *Observation, t Trace) (again bool, excess uint32) {
	if !o.Kind.Decoded() || o.Snapped || o.Interface >= maxRepeatInterfaces {
		return false, 0
	}
	r.age(o.Time)
	key, bit := traceKey(o, t), uint64(1)<<o.Interface
	for _, known := range [...][]sighting{r.old[key], r.young[key]} {
		for i := range known {
			s := &known[i]
			if s.on&bit != 0 || max(o.Time-s.time, s.time-o.Time) > repeatWindow {
				continue
			}
			s.on |= bit
			if o.Frame < s.frame {
				excess, s.frame = s.frame-o.Frame, o.Frame
			}
			return true, excess
		}
	}
	r.note(key, sighting{o.Time, bit, o.Frame})
	return false, 0
}

func (r *Repeats) note(key trace, s sighting) {
	alike := r.young[key]
	if len(alike) == maxAlike {
		copy(alike, alike[1:])
		alike[maxAlike-1] = s
		return
	}
	r.young[key] = append(alike, s)
	r.sightings++
}

// age forgets what is too old to be seen again. A clock that runs backwards forgets nothing early: the number of
// sightings bounds what is kept.
func (r *Repeats) age(now int64) {
	if now-r.born <= 2*repeatWindow && r.sightings < maxSightings {
		return
	}
	r.old, r.young = r.young, make(map[trace][]sighting)
	r.born, r.sightings = now, 0
}

// AddRepeat accounts for a packet of which Repeats says that it was seen before: it counts on its interface, and in no flow.
// The first sighting must have been added before.
func (t *Table) AddRepeat(o *Observation, excess uint32) {
	t.countInterface(o)
	t.repeated.Packets++
	t.repeated.Bytes += uint64(o.Frame)
	if excess > 0 && t.reduce(o, uint64(excess)) {
		t.repeated.Bytes += uint64(excess)
	}
}

// reduce takes frame bytes from a packet's flow; false says that it is not there any more.
func (t *Table) reduce(o *Observation, excess uint64) bool {
	id := t.slots[t.find(o)].id
	if id == 0 {
		return false
	}
	from, _ := t.records.at(id - 1).sender(o.fromLow)
	if from.frame < excess {
		return false
	}
	from.frame -= excess
	return true
}

// Repeated is what AddRepeat was given: no part of any flow.
func (t *Table) Repeated() Repeated { return t.repeated }

func traceKey(o *Observation, t Trace) trace {
	return trace{
		pair: o.pair(), fromLow: o.fromLow, later: o.FragLater, flags: o.Flags,
		seq: o.Seq, ack: o.Ack, length: o.IPBytes, frag: o.FragID, Trace: t,
	}
}
