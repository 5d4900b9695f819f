package pidmap

import (
	"fmt"
	"slices"
	"testing"
)

// TestHandOvers: a 5-tuple of UDP changes hands where one program's socket had ended when another's was first heard of, whatever the order
// in which that is told.
func TestHandOvers(t *testing.T) {
	used := func(cookie uint64, made, at int64, p Process) Event {
		return Event{Kind: SocketUsed, Method: MethodEBPF, Time: at * ms, NotBefore: made * ms, Socket: Socket{Key: udp1, Cookie: cookie},
			Process: p, User: UserKey{PID: p.Key.PID}}
	}
	ended := func(cookie uint64, at int64) Event {
		return Event{Kind: SocketClosed, Method: MethodEBPF, Time: at * ms, LastSeen: at * ms, Socket: Socket{Key: udp1, Cookie: cookie}}
	}
	lost := func(since, at int64) Event { return Event{Kind: EventsLost, NotBefore: since * ms, Time: at * ms} }
	tests := []struct {
		name   string
		events []Event
		want   []string // after, by, unsure
	}{
		{"one socket", []Event{used(1, 9, 10, a), ended(1, 20)}, nil},
		{"one after the other", []Event{used(1, 9, 10, a), ended(1, 20), used(2, 25, 30, b), ended(2, 40)}, []string{"25 30 false"}},
		{"the second was made before the first ended", []Event{used(1, 9, 10, a), ended(1, 20), used(2, 15, 30, b)}, []string{"20 30 false"}},
		{"the first one's end told late", []Event{used(1, 9, 10, a), used(2, 25, 30, b), ended(1, 20)}, []string{"25 30 false"}},
		{"two at a time", []Event{used(1, 9, 10, a), used(2, 11, 12, b), ended(1, 20), ended(2, 40)}, nil},
		{"one within the other", []Event{used(1, 9, 10, a), used(2, 11, 12, b), ended(2, 20), ended(1, 40)}, nil},
		{"one program again", []Event{used(1, 9, 10, a), ended(1, 20), used(2, 25, 30, a), ended(2, 40)}, nil},
		{"there and back", []Event{used(1, 9, 10, a), ended(1, 20), used(2, 25, 30, b), ended(2, 40), used(3, 45, 50, a)}, []string{"25 30 false", "45 50 false"}},
		{"the first one's end lost", []Event{used(1, 9, 10, a), lost(15, 22), used(2, 25, 30, b)}, []string{"15 30 true"}},
		{"it was there after all", []Event{used(1, 9, 10, a), lost(15, 22), used(1, 9, 23, a), used(2, 25, 30, b)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHistory(ReasonNoSocketSeen)
			var got []string
			for _, e := range tt.events {
				h.Add(e)
				for _, o := range h.HandOvers() {
					if o.Key != udp1 {
						t.Errorf("of %v", o.Key)
					}
					got = append(got, fmt.Sprintf("%d %d %v", o.After/ms, o.By/ms, o.Unsure))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("hand-overs %q, want %q", got, tt.want)
			}
		})
	}
}

// TestTurns: of several apps' sockets in turn a History says what it knows of each, and names none.
func TestTurns(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	counted := &Datagrams{Sent: 5}
	for i, p := range []Process{a, b} {
		s, at := Socket{Key: udp1, Cookie: uint64(i + 1)}, int64(100*i+100)
		h.Add(Event{Kind: SocketUsed, Method: MethodEBPF, Time: at * ms, Socket: s, Process: p, User: UserKey{PID: p.Key.PID}, Moved: Moved{Tx: 5}})
		if i == 0 {
			h.Add(Event{Kind: SocketClosed, Method: MethodEBPF, Time: (at + 50) * ms, LastSeen: (at + 50) * ms, Socket: s, Datagrams: counted})
		}
	}
	got := h.Owner(udp1, 0, 100*ms, 250*ms)
	if got.Reason != ReasonAmbiguous || len(got.Candidates) != 2 || len(got.Turns) != 2 {
		t.Fatalf("owner %+v, want two candidates and turns", got)
	}
	for i, turn := range got.Turns {
		if turn.Process.Path != []string{"/bin/a", "/bin/b"}[i] || turn.Tx != 5 || !turn.Sole || turn.Open != (i == 1) || (turn.Counted == counted) != (i == 0) {
			t.Errorf("turn %d: %+v", i, turn)
		}
	}
	if each := ByProcess.Group(got); each.Reason != ReasonAmbiguous || each.Turns[0].App.ID != "process:10:100" || got.Turns[0].App.ID == each.Turns[0].App.ID {
		t.Errorf("by process: %+v", each)
	}
	if one := ByUser.Group(got); one.App.ID != "user:" || len(one.Shares) != 2 || one.Turns != nil {
		t.Errorf("by user: %+v", one)
	}
	if of := h.SocketOwner(1); of.Process.Path != "/bin/a" {
		t.Errorf("socket 1 is %+v's", of)
	}
	if of := h.SocketOwner(9); of.Known() {
		t.Errorf("socket 9 is %+v's", of)
	}
}

// TestAfterLoss: after events were lost the last that was known of a socket is no end of it, and what comes then may be that of a program which nobody saw.
func TestAfterLoss(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	s := Socket{Key: udp1, Cookie: 1}
	h.Add(Event{Kind: SocketUsed, Method: MethodEBPF, Time: 1000 * ms, Socket: s, Process: a, User: UserKey{PID: a.Key.PID}, Moved: Moved{Tx: 5}})
	h.Add(Event{Kind: EventsLost, NotBefore: 1500 * ms, Time: 2000 * ms})
	for _, tt := range []struct {
		last int64
		want string
	}{{1500, "10 ebpf"}, {1600, "ambiguous"}} {
		if got := say(h.Owner(udp1, 0, 1000*ms, tt.last*ms)); got != tt.want {
			t.Errorf("until %d ms: %s, want %s", tt.last, got, tt.want)
		}
	}
	var what []string
	for _, e := range h.Evidence(udp1, 1000*ms, 1600*ms) {
		what = append(what, fmt.Sprint(e.Time/ms, " ", e.What))
	}
	if want := []string{"1000 opened", "1000 moved", "1500 lost"}; !slices.Equal(what, want) {
		t.Errorf("evidence %q, want %q", what, want)
	}
	h.Add(Event{Kind: SocketClosed, Method: MethodEBPF, Time: 1800 * ms, LastSeen: 1800 * ms, Socket: s})
	if got := say(h.Owner(udp1, 0, 1000*ms, 1700*ms)); got != "10 ebpf" {
		t.Errorf("when its end is told after all: %s", got)
	}
}
