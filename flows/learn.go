package flows

// Lessons are what a batch of packets has for Learn, in the order of its packets: flows that began, whose openers may have asked
// DNS for the other side's address, and payloads to read names from. The zero value is ready.
type Lessons struct{ list []lesson }

type lesson struct {
	flow   uint32 // index
	packet int32  // in the batch
	kind   lessonKind
	sawSYN bool   // of a payload: isn is valid
	isn    uint32 // of its sender
}

type lessonKind uint8

const (
	lessonPayload  lessonKind = iota
	lessonOpened              // the packet's sender opened a flow
	lessonAnswered            // its receiver did, and the packet answers
)

// Account is the part of AddBatch that counts; what it leaves of names to Learn is in l, which it clears first.
func (t *Table) Account(batch []Observation, payloads []Payload, begun []Key, l *Lessons) []Key {
	l.list = l.list[:0]
	for base := 0; base < len(batch); base += touchLength {
		part := batch[base:min(base+touchLength, len(batch))]
		t.touch(part)
		for i := range part {
			o := &part[i]
			id, began := t.count(o)
			if len(payloads) > 0 && payloads[0].Packet == base+i {
				payloads = payloads[1:]
				t.teach(l, id, base+i, o)
			}
			if began {
				begun = append(begun, o.key())
				if r := t.records.at(id); r.initiatorKnown() {
					kind := lessonOpened
					if r.initiatorIsLow() != o.fromLow {
						kind = lessonAnswered
					}
					l.list = append(l.list, lesson{flow: id, packet: int32(base + i), kind: kind})
				}
			}
		}
	}
	return begun
}

// teach notes the payload of a packet that was just counted.
func (t *Table) teach(l *Lessons, id uint32, packet int, o *Observation) {
	if !o.Kind.Decoded() || o.FragLater {
		return
	}
	from, _ := t.records.at(id).sender(o.fromLow)
	next := lesson{flow: id, packet: int32(packet)}
	if next.sawSYN = from.stream.sawSYN; next.sawSYN {
		next.isn = t.rares.at(id).sender(o.fromLow).isn
	}
	l.list = append(l.list, next)
}

// Learn reads names out of a batch for which Account made l, and takes in what openers had been told. It needs nothing that
// Account changes, so that it may run beside it, in a goroutine of its own: batch by batch in their order. All other
// methods wait until what Account has taken is learned.
func (t *Table) Learn(batch []Observation, payloads []Payload, l *Lessons) {
	b := &t.names
	b.touch(batch, payloads, l)
	for i := range l.list {
		next := &l.list[i]
		o := &batch[next.packet]
		if next.kind != lessonPayload {
			b.ask(next, o)
			continue
		}
		switch p := &payloads[0]; p.kind {
		case wholeHello:
			b.readHello(next.flow, &p.hello)
		case wholeReply:
			b.readReply(next.flow, o, &p.reply)
		default:
			b.read(next.flow, o, p.Bytes, next.sawSYN, next.isn)
		}
		payloads = payloads[1:]
	}
}

// touch loads what a batch's answers, and asking for its openers, will need, so that the cache misses overlap.
func (b *nameBook) touch(batch []Observation, payloads []Payload, l *Lessons) {
	if !b.asked {
		return
	}
	for i := range l.list {
		next := &l.list[i]
		o := &batch[next.packet]
		if next.kind != lessonPayload {
			b.sink += b.dns.Touch(next.opener(o))
			continue
		}
		if p := &payloads[0]; p.kind == wholeReply {
			b.sink += b.dns.TouchReply(o.Dst.Addr, &p.reply)
			if b.lookups.on {
				b.sink += b.lookups.touch(next.flow, o.Dst.Addr, &p.reply)
			}
		}
		payloads = payloads[1:]
	}
}

// opener are the addresses of who opened the flow and of the other side.
func (l *lesson) opener(o *Observation) (opener, other [16]byte) {
	if l.kind == lessonAnswered {
		return o.Dst.Addr, o.Src.Addr
	}
	return o.Src.Addr, o.Dst.Addr
}

// ask notes what DNS had told the opener of a flow that just began. Asked later, it would have to be searched for among all
// that was told since.
func (b *nameBook) ask(l *lesson, o *Observation) {
	if !b.asked {
		return
	}
	client, server := l.opener(o)
	answer := b.answer(client, server, o.Time)
	if answer.Host == 0 {
		return
	}
	f := b.at(l.flow)
	f.told = answer.Host
	if b.lookups.on {
		b.lookedUp(f, client, answer, o)
	}
}
