package pidmap

import (
	"math"
	"testing"

	"apptap/flows"
)

// The addresses of a host of containers (192.0.2.1), of one of them (10.0.0.2) and of another host.
var (
	outgoing = Translation{ // masqueraded
		Original: key(flows.TCP, "10.0.0.2:5000", "198.51.100.1:443"), Reply: key(flows.TCP, "198.51.100.1:443", "192.0.2.1:6000"),
	}
	published = Translation{ // a port of the host's is the container's
		Original: key(flows.UDP, "198.51.100.1:7000", "192.0.2.1:53"), Reply: key(flows.UDP, "10.0.0.2:5353", "198.51.100.1:7000"),
	}
	outgoingSeen  = key(flows.TCP, "192.0.2.1:6000", "198.51.100.1:443")
	publishedSeen = key(flows.UDP, "192.0.2.1:53", "198.51.100.1:7000")
)

func aSocket(cookie uint64, k flows.Key) Socket {
	return Socket{Key: k, Cookie: cookie, Inode: cookie}
}

func translated(at, notBefore int64, t Translation) Event {
	return Event{Kind: FlowTranslated, Time: at * ms, NotBefore: notBefore * ms, Translation: &t}
}

func untranslated(at int64, t Translation) Event {
	return Event{Kind: FlowUntranslated, Time: at * ms, Translation: &t}
}

func TestTranslatedOwner(t *testing.T) {
	inside := seen(1000, aSocket(1, outgoing.Original), a)
	other := outgoing
	other.Original = key(flows.TCP, "10.0.0.3:5000", "198.51.100.1:443")
	tests := []struct {
		name   string
		events []Event
		key    flows.Key
		first  int64
		last   int64
		want   string
		inner  flows.Key
	}{
		{"masqueraded", []Event{inside, translated(1000, 0, outgoing)}, outgoingSeen, 1000, 1500, "10 sock_diag", outgoing.Original},
		{"told later", []Event{translated(1020, 990, outgoing), inside}, outgoingSeen, 1000, 1010, "10 sock_diag", outgoing.Original},
		{"seen before it is translated", []Event{inside, translated(1000, 0, outgoing)}, outgoing.Original, 1000, 1500, "10 sock_diag", flows.Key{}},
		{"published", []Event{seen(1000, aSocket(1, published.Reply), a), translated(1000, 0, published)}, publishedSeen, 1000, 1500, "10 sock_diag", published.Reply},
		{"a socket of its own", []Event{inside, seen(1000, aSocket(2, outgoingSeen), b), translated(1000, 0, outgoing)}, outgoingSeen, 1000, 1500, "20 sock_diag", flows.Key{}},
		{"a port of the host is not the container's", []Event{seen(1000, aSocket(1, unconnected(flows.UDP, "0.0.0.0:53")), b), seen(1000, aSocket(2, unconnected(flows.UDP, "0.0.0.0:5353")), b), translated(1000, 0, published)}, publishedSeen, 1000, 1500, "forwarded", published.Reply},
		{"no socket", []Event{translated(1000, 0, outgoing)}, outgoingSeen, 1000, 1500, "forwarded", outgoing.Original},
		{"not translated yet", []Event{inside, translated(3000, 2000, outgoing)}, outgoingSeen, 1000, 1500, "no_socket_seen", flows.Key{}},
		{"no longer translated", []Event{inside, translated(1000, 0, outgoing), untranslated(1400, outgoing)}, outgoingSeen, 1500, 1600, "no_socket_seen", flows.Key{}},
		{"the port has another's flow", []Event{
			inside, closed(1100, 1100, aSocket(1, outgoing.Original)), translated(1000, 0, outgoing), untranslated(1200, outgoing),
			seen(1300, aSocket(2, other.Original), b), translated(1300, 1250, other),
		}, outgoingSeen, 1300, 1500, "20 sock_diag", other.Original},
		{"either's", []Event{inside, translated(1000, 0, outgoing), seen(1300, aSocket(2, other.Original), b), translated(1300, 1250, other)}, outgoingSeen, 1000, 1500, "ambiguous", flows.Key{}},
		{"another protocol", []Event{inside, translated(1000, 0, outgoing)}, key(flows.UDP, "192.0.2.1:6000", "198.51.100.1:443"), 1000, 1500, "no_socket_seen", flows.Key{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHistory(ReasonNoSocketSeen)
			for _, e := range append(tt.events, Event{Kind: SocketsCurrent, Time: 1500 * ms}) {
				h.Add(e)
			}
			got := h.Owner(tt.key, flows.InitiatorUnknown, tt.first*ms, tt.last*ms)
			if say(got) != tt.want || got.Translated != tt.inner {
				t.Errorf("got %s behind %v, want %s behind %v", say(got), got.Translated, tt.want, tt.inner)
			}
		})
	}
}

// inUse are flows that may still be asked about.
type inUse map[flows.Key]bool

func (u inUse) Flow(key flows.Key, _ int64) bool     { return u[key] || u[key.Reverse()] }
func (u inUse) Port(_ flows.Protocol, _ uint16) bool { return false }

// TestForgetTranslations asks about a flow for as long as it is in use, under the addresses that were seen.
func TestForgetTranslations(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	s := aSocket(1, outgoing.Original)
	for _, e := range []Event{seen(1000, s, a), translated(1000, 0, outgoing), closed(1100, 1100, s), untranslated(1200, outgoing)} {
		h.Add(e)
	}
	ask := func() string { return say(h.Owner(outgoingSeen, flows.InitiatorLocal, 1000*ms, 1100*ms)) }
	h.Forget(math.MaxInt64, inUse{outgoingSeen: true})
	if got := ask(); got != "10 sock_diag" {
		t.Errorf("in use: %q", got)
	}
	h.Forget(math.MaxInt64, inUse{})
	if got := ask(); got != "no_socket_seen" || len(h.translations)+len(h.connected) > 0 {
		t.Errorf("over: %q, %d 5-tuples kept, %d sockets", got, len(h.translations), len(h.connected))
	}
}

func TestTranslatedEvidence(t *testing.T) {
	h := NewHistory(ReasonNoSocketSeen)
	h.Add(seen(1000, aSocket(1, outgoing.Original), a))
	h.Add(translated(1000, 0, outgoing))
	var got []string
	for _, e := range h.Evidence(outgoingSeen, 1000*ms, 1500*ms) {
		got = append(got, e.What+" "+e.Socket.Key.String())
	}
	socket := outgoing.Original.String()
	want := []string{"translated " + socket, "opened " + socket, "held " + socket}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
}
