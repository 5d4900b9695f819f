package flows

const (
	// repeatWindow is how far apart two sightings of one packet may be, in nanoseconds: a queue on the way holds a packet
	// for some hundred milliseconds at most, and TCP sends again after 200 ms (Linux TCP_RTO_MIN), which is told apart by
	// the interface.
	repeatWindow = 1_000_000_000
	// maxSightings bounds each of two generations: some 150 bytes a packet with its place in the map, 20 MiB in all.
	maxSightings = 1 << 16
	// maxAlike bounds what is compared for one packet: packets that nothing but the addresses tells apart.
	maxAlike = 64
	// maxRepeatInterfaces is how many interfaces a sighting can note. Packets of others are never repeats.
	maxRepeatInterfaces = 64
)

// Repeats recognises packets that were captured before on another interface, by what no hop changes: identification,
// sequence numbers, flags, length, the first payload bytes. A packet that comes again on the same interface is another
// packet: it was sent again. It is not safe for concurrent use.
//
// Sightings may come in any order, as the interfaces' readers deliver them; which of them counts does not depend on it.
// Of several with the same addresses the smallest frame counts: inside a tunnel that is the one without the tunnel's headers.
// Of two with other addresses, as a NAT makes them, the one that has none of this host's counts, because the
// program is behind it. A tunnel over UDP keeps what it adds, once the packet inside was captured by itself.
type Repeats struct {
	young, old generation
	sightings  int   // in young
	born       int64 // when young began, nanoseconds since 1970 UTC
	places     map[place]uint
	excess     []Excess // scratch of Frame and Inside
}

// generation are the sightings that began in some time, by what they look like.
type generation struct {
	seen    map[content][]sighting
	carried map[content][]carrier
}

// sighting is one packet wherever it was seen.
type sighting struct {
	time    int64 // of the first sighting that arrived
	on      uint64
	flow    pair // of the sighting that counts
	fromLow bool
	frame   uint32 // the smallest
	payload uint32
}

// carrier is a packet that had another inside which was not captured by itself yet.
type carrier struct {
	time                 int64
	on                   uint64
	flow, inner          pair
	fromLow, innerIsFrom bool
}

// RepeatKind says how it is known that captured bytes were counted elsewhere.
type RepeatKind uint8

// The kinds of repeats.
const (
	SamePacket    RepeatKind = iota // the same packet on another interface
	Translated                      // the same packet with another address or port: NAT
	Carried                         // inside a tunnel over UDP that is not encrypted
	CarriedUnread                   // inside an encrypted tunnel, as lengths and times say: see Carriers
	RepeatKinds   int        = iota // how many there are
)

// String is the report's name of the kind.
func (k RepeatKind) String() string {
	return [...]string{"same_packet", "translated", "carried", "carried_unread"}[k&3]
}

// Repeated are frames that were captured before on another interface, and frame bytes that were. What a tunnel added to a
// packet that counts without it is among the bytes.
type Repeated struct {
	Packets, Bytes uint64
	Kinds          [RepeatKinds]uint64 // bytes
	// Unmatched passed a tunnel whose carrier is known, and no datagram of that fits: it is not among Bytes, and the carrier may
	// have it too. IP bytes, see Carriers.
	Unmatched uint64
}

// Excess is what a flow was given that counts elsewhere.
type Excess struct {
	flow                        pair
	fromLow                     bool
	packets, frame, ip, payload uint64
	kind                        RepeatKind
}

// NewRepeats makes an empty Repeats.
func NewRepeats() *Repeats {
	return &Repeats{young: newGeneration(), old: newGeneration(), places: make(map[place]uint)}
}

func newGeneration() generation {
	return generation{make(map[content][]sighting), make(map[content][]carrier)}
}

// Frame says what a packet adds. Where again is true it was seen before, and counts in no flow. The excess is what flows
// were given before it and must not keep; it is valid until the next call.
func (r *Repeats) Frame(o *Observation, t Trace, own Local) (again bool, kind RepeatKind, excess []Excess) {
	r.excess = r.excess[:0]
	bit := r.place(o, t)
	if bit == 0 {
		return false, 0, nil
	}
	r.age(o.Time)
	key := contentOf(o, t)
	if s := r.known(key, o, bit); s != nil {
		s.on |= bit
		if o.Frame < s.frame {
			r.excess = append(r.excess, Excess{flow: s.flow, fromLow: s.fromLow, frame: uint64(s.frame - o.Frame), kind: SamePacket})
			s.frame = o.Frame
		}
		return true, SamePacket, r.excess
	}
	if s := r.translated(key, o, bit, t, own); s != nil {
		s.on |= bit
		if !behind(o, &s.flow, own) {
			return true, Translated, nil
		}
		r.excess = append(r.excess, Excess{s.flow, s.fromLow, 1, uint64(s.frame), uint64(o.IPBytes), uint64(s.payload), Translated})
		s.flow, s.fromLow, s.frame = o.pair(), o.fromLow, o.Frame
		return false, 0, r.excess
	}
	r.note(key, sighting{o.Time, bit, o.pair(), o.fromLow, o.Frame, o.Payload})
	r.uncarry(key, o, bit)
	return false, 0, r.excess
}

// known is the sighting of the same packet on another interface.
func (r *Repeats) known(key content, o *Observation, bit uint64) *sighting {
	for _, g := range [...]*generation{&r.old, &r.young} {
		list := g.seen[key]
		for i := range list {
			if s := &list[i]; s.on&bit == 0 && near(s.time, o.Time) && s.fromLow == o.fromLow && s.flow.of(o) {
				return s
			}
		}
	}
	return nil
}

func near(a, b int64) bool { return max(a-b, b-a) <= repeatWindow }

func (r *Repeats) note(key content, s sighting) {
	alike := r.young.seen[key]
	if len(alike) == maxAlike {
		copy(alike, alike[1:])
		alike[maxAlike-1] = s
		return
	}
	r.young.seen[key] = append(alike, s)
	r.sightings++
}

// age forgets what is too old to be seen again. A clock that runs backwards forgets nothing early: the number of
// sightings bounds what is kept.
func (r *Repeats) age(now int64) {
	if now-r.born <= 2*repeatWindow && r.sightings < maxSightings {
		return
	}
	r.old, r.young = r.young, newGeneration()
	r.born, r.sightings = now, 0
}

// AddRepeat accounts for a packet of which Repeats says that it was seen before: it counts on its interface, and in no flow.
// The first sighting must have been added before.
func (t *Table) AddRepeat(o *Observation, kind RepeatKind) {
	t.countInterface(o)
	t.repeated.add(1, uint64(o.Frame), kind)
	if id := t.slots[t.find(o)].id; id != 0 && kind == SamePacket { // the same whichever sighting came first
		r := t.records.at(id - 1)
		r.first, r.last = min(r.first, o.Time), max(r.last, o.Time)
		if rest := t.rares.at(id - 1); o.Interface < rest.iface {
			rest.iface = o.Interface
		}
	}
}

// Reduce takes out of a flow what Repeats says it has too much. What a flow has that is not there any more it keeps.
func (t *Table) Reduce(e *Excess) {
	id, found := t.lookUp(&e.flow)
	if !found {
		return
	}
	r := t.records.at(id)
	from, _ := r.sender(e.fromLow)
	if from.packets < e.packets || from.frame < e.frame {
		return
	}
	from.packets -= e.packets
	from.frame -= e.frame
	from.ip -= min(from.ip, e.ip)
	from.payload -= min(from.payload, e.payload)
	if r.key.proto == UDP {
		t.breakUp(id, r)
	}
	t.repeated.add(e.packets, e.frame, e.kind)
}

func (r *Repeated) add(packets, frame uint64, kind RepeatKind) {
	r.Packets += packets
	r.Bytes += frame
	r.Kinds[kind] += frame
}

// Unmatched takes in what Carriers found no datagram for.
func (t *Table) Unmatched(bytes uint64) { t.repeated.Unmatched = bytes }

// Repeated is what AddRepeat and Reduce were given: no part of any flow.
func (t *Table) Repeated() Repeated { return t.repeated }
