package session

import (
	"fmt"
	"slices"

	"apptap/pidmap"
)

// eventKinds are the words for pidmap.EventKind, in its order. A word never changes its meaning.
var eventKinds = [...]string{
	pidmap.SocketSeen:     "socket_seen",
	pidmap.SocketClosed:   "socket_closed",
	pidmap.SocketsCurrent: "sockets_current",
	pidmap.ProcessExec:    "process_exec",
	pidmap.ProcessExit:    "process_exit",
	pidmap.SocketMade:     "socket_made",
	pidmap.SocketUsed:     "socket_used",
	pidmap.SocketPeer:     "socket_peer",
	pidmap.EventsLost:     "events_lost",
	pidmap.SocketCounted:  "socket_counted",
	pidmap.SocketsCounted: "sockets_counted",

	pidmap.FlowTranslated:   "flow_translated",
	pidmap.FlowUntranslated: "flow_untranslated",
}

// eventRecord is a pidmap.Event. Times are nanoseconds since 1970 UTC; processes are numbers of processRecords.
type eventRecord struct {
	Kind      string           `json:"kind"`
	Time      int64            `json:"time"`
	Method    text             `json:"method,omitempty"`
	Socket    *socketRecord    `json:"socket,omitempty"`
	Holders   []uint32         `json:"holders,omitzero"`
	NotBefore int64            `json:"not_before,omitempty"`
	LastSeen  int64            `json:"last_seen,omitempty"`
	Process   uint32           `json:"process,omitempty"`
	User      *userRecord      `json:"user,omitempty"`
	Moved     *movedRecord     `json:"moved,omitempty"`
	Totals    *totalsRecord    `json:"totals,omitempty"`
	Accepted  bool             `json:"accepted,omitempty"`
	Datagrams *datagramsRecord `json:"datagrams,omitempty"`

	Translation *translationRecord `json:"translation,omitempty"`
}

// translationRecord is a pidmap.Translation.
type translationRecord struct {
	Original keyRecord `json:"original"`
	Reply    keyRecord `json:"reply"`
}

type socketRecord struct {
	keyRecord
	DualStack bool   `json:"dual_stack,omitempty"`
	Listening bool   `json:"listening,omitempty"`
	Cookie    uint64 `json:"cookie,omitempty"`
	Inode     uint64 `json:"inode,omitempty"`
	UID       uint32 `json:"uid,omitempty"`
	Foreign   bool   `json:"foreign,omitempty"`
	Kernel    bool   `json:"kernel,omitempty"`
	Multipath bool   `json:"multipath,omitempty"`
	Over      uint64 `json:"over,omitempty"`
}

type userRecord struct {
	PID   int32  `json:"pid"`
	Start uint64 `json:"start"` // nanoseconds since boot
	Exec  uint64 `json:"exec"`
}

type movedRecord struct {
	Tx uint64 `json:"tx_payload"`
	Rx uint64 `json:"rx_payload"`
}

type totalsRecord struct {
	Known     bool   `json:"known"`
	Sent      uint64 `json:"sent"`
	Retrans   uint64 `json:"retrans"`
	Received  uint64 `json:"received"`
	Payload   bool   `json:"payload,omitempty"`
	Duplicate uint64 `json:"duplicate,omitempty"`
	Interface text   `json:"interface,omitempty"`
	Lost      bool   `json:"lost,omitempty"`
}

// eventRecordOf turns an event into its record; number says which process is which.
func eventRecordOf(e *pidmap.Event, number func(*pidmap.Process) uint32) (eventRecord, error) {
	if int(e.Kind) >= len(eventKinds) {
		return eventRecord{}, fmt.Errorf("write event: kind %d has no name in the format", e.Kind)
	}
	r := eventRecord{
		Kind: eventKinds[e.Kind], Time: e.Time, Method: text(e.Method), NotBefore: e.NotBefore, LastSeen: e.LastSeen,
		Process: number(&e.Process),
	}
	if e.Holders != nil {
		r.Holders = make([]uint32, len(e.Holders))
		for i := range e.Holders {
			r.Holders[i] = number(&e.Holders[i])
		}
	}
	if e.Socket != (pidmap.Socket{}) {
		r.Socket = socketRecordOf(&e.Socket)
	}
	if e.User != (pidmap.UserKey{}) {
		r.User = &userRecord{e.User.PID, e.User.Start, e.User.Exec}
	}
	if e.Moved != (pidmap.Moved{}) {
		r.Moved = &movedRecord{e.Moved.Tx, e.Moved.Rx}
	}
	if e.Totals != (pidmap.Totals{}) {
		t := &e.Totals
		r.Totals = &totalsRecord{t.Known, t.Sent, t.Retrans, t.Received, t.Payload, t.Duplicate, text(t.Interface), t.Lost}
	}
	r.Datagrams, r.Accepted = datagramsRecordOf(e.Datagrams), e.Accepted
	if t := e.Translation; t != nil {
		r.Translation = &translationRecord{keyRecordOf(t.Original), keyRecordOf(t.Reply)}
	}
	return r, nil
}

func socketRecordOf(s *pidmap.Socket) *socketRecord {
	return &socketRecord{
		keyRecord: keyRecordOf(s.Key), DualStack: s.DualStack, Listening: s.Listening, Cookie: s.Cookie, Inode: s.Inode,
		UID: s.UID, Foreign: s.Foreign, Kernel: s.Kernel, Multipath: s.Multipath, Over: s.Over,
	}
}

// event is the way back. The error says what the record refers to in vain; one of an unknown kind is errUnknownKind.
func (r *eventRecord) event(process func(uint32) (pidmap.Process, error)) (e pidmap.Event, err error) {
	kind := slices.Index(eventKinds[:], r.Kind)
	if kind < 0 {
		return e, errUnknownKind
	}
	e = pidmap.Event{
		Kind: pidmap.EventKind(kind), Time: r.Time, Method: pidmap.Method(r.Method), NotBefore: r.NotBefore, LastSeen: r.LastSeen,
	}
	if e.Process, err = process(r.Process); err != nil {
		return e, err
	}
	if r.Holders != nil {
		e.Holders = make([]pidmap.Process, len(r.Holders))
	}
	for i, number := range r.Holders {
		if e.Holders[i], err = process(number); err != nil {
			return e, err
		}
	}
	if r.Socket != nil {
		if e.Socket, err = r.Socket.socket(); err != nil {
			return e, err
		}
	}
	r.counts(&e)
	e.Translation, err = r.Translation.translation()
	return e, err
}

func (r *translationRecord) translation() (*pidmap.Translation, error) {
	if r == nil {
		return nil, nil
	}
	original, err := r.Original.key()
	if err != nil {
		return nil, err
	}
	reply, err := r.Reply.key()
	return &pidmap.Translation{Original: original, Reply: reply}, err
}

// counts fills in what was counted.
func (r *eventRecord) counts(e *pidmap.Event) {
	if u := r.User; u != nil {
		e.User = pidmap.UserKey{PID: u.PID, Start: u.Start, Exec: u.Exec}
	}
	if m := r.Moved; m != nil {
		e.Moved = pidmap.Moved{Tx: m.Tx, Rx: m.Rx}
	}
	if t := r.Totals; t != nil {
		e.Totals = pidmap.Totals{Known: t.Known, Sent: t.Sent, Retrans: t.Retrans, Received: t.Received,
			Payload: t.Payload, Duplicate: t.Duplicate, Interface: string(t.Interface), Lost: t.Lost}
	}
	e.Datagrams, e.Accepted = r.Datagrams.datagrams(), r.Accepted
}

func (r *socketRecord) socket() (pidmap.Socket, error) {
	key, err := r.key()
	return pidmap.Socket{
		Key: key, DualStack: r.DualStack, Listening: r.Listening, Cookie: r.Cookie, Inode: r.Inode,
		UID: r.UID, Foreign: r.Foreign, Kernel: r.Kernel, Multipath: r.Multipath, Over: r.Over,
	}, err
}
