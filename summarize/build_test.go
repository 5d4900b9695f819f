package summarize

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
	"apptap/pidmap"

	"github.com/google/go-cmp/cmp"
)

func key(proto flows.Protocol, local, remote string) flows.Key {
	return flows.MakeKey(proto, netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote))
}

// ownedBy is an attribution to an app of one process.
func ownedBy(name string, pid int32) pidmap.Attribution {
	return pidmap.Attribution{
		App:     pidmap.App{ID: "/bin/" + name, Name: name, Kind: "executable"},
		Process: pidmap.Process{Key: pidmap.ProcessKey{PID: pid, Start: 1}, Name: name},
		Method:  pidmap.MethodSockDiag,
	}
}

// owners answers for the local sides of flows.
type owners map[flows.Key]pidmap.Attribution

func (o owners) Owner(key flows.Key, _ flows.Initiator, _, _ int64) pidmap.Attribution {
	if a, ok := o[key]; ok {
		return a
	}
	return pidmap.Attribution{Reason: pidmap.ReasonNoSocketSeen}
}

func TestOwner(t *testing.T) {
	inside := key(flows.TCP, "127.0.0.1:40000", "127.0.0.1:80")
	out := key(flows.TCP, "192.0.2.2:40000", "198.51.100.1:443")
	curl, nginx := ownedBy("curl", 1), ownedBy("nginx", 2)
	nobody := pidmap.Attribution{Reason: pidmap.ReasonNoSocketSeen}
	forwarded := pidmap.Attribution{Reason: pidmap.ReasonForwarded}
	notInFile := pidmap.Attribution{Reason: pidmap.ReasonNoOwnerInFile}
	tests := []struct {
		name        string
		key         flows.Key
		locality    flows.Locality
		file        bool
		known       owners
		owner, peer pidmap.Attribution
		turned      bool
	}{
		{name: "one side", key: out, locality: flows.LocalOne, known: owners{out: curl}, owner: curl},
		{name: "unknown", key: out, locality: flows.LocalOne, owner: nobody},
		{name: "both sides", key: inside, locality: flows.LocalBoth,
			known: owners{inside: curl, inside.Reverse(): nginx}, owner: curl, peer: nginx},
		{name: "only the peer", key: inside, locality: flows.LocalBoth,
			known: owners{inside.Reverse(): nginx}, owner: nginx, peer: nobody, turned: true},
		{name: "neither known of both", key: inside, locality: flows.LocalBoth, owner: nobody, peer: nobody},
		{name: "transit", key: out, locality: flows.LocalNeither, owner: forwarded},
		{name: "a socket on all addresses does not own transit", key: out, locality: flows.LocalNeither,
			known: owners{out: curl}, owner: forwarded},
		{name: "a file names its owners", key: out, locality: flows.LocalNeither, file: true,
			known: owners{out: curl}, owner: curl},
		{name: "a file that names none", key: out, locality: flows.LocalNeither, file: true,
			known: owners{out: notInFile}, owner: notInFile},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := flows.Flow{Key: tt.key, Locality: tt.locality, Initiator: flows.InitiatorLocal, TxSawSYN: true, RxGap: 3,
				Counts: flows.Counts{TxPackets: 1, TxBytes: 100, TxPayload: 46, RxPackets: 2, RxBytes: 200, RxPayload: 92}}
			s := Build(Input{Flows: []flows.Flow{f}, Live: !tt.file, Owner: tt.known.Owner})
			want := f
			if tt.turned {
				want = reversed(f)
			}
			got := s.Flows[0]
			if diff := cmp.Diff(want, got.Flow); diff != "" {
				t.Errorf("flow (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]pidmap.Attribution{tt.owner, tt.peer}, []pidmap.Attribution{got.Owner, got.Peer}); diff != "" {
				t.Errorf("owner and peer (-want +got):\n%s", diff)
			}
			if s.Totals != (Totals{want.Counts, 1}) {
				t.Errorf("totals = %+v, want those of the flow, once", s.Totals)
			}
		})
	}
}

func TestReversedTwiceIsTheSame(t *testing.T) {
	r := newDice(1)
	for range 100 {
		f := r.flow(nil, 3)
		if diff := cmp.Diff(f, reversed(reversed(f))); diff != "" {
			t.Fatalf("reversed twice (-want +got):\n%s", diff)
		}
	}
}

func TestDestinations(t *testing.T) {
	counts := func(bytes uint64) flows.Counts { return flows.Counts{TxPackets: 1, TxBytes: bytes} }
	opened := []flows.Flow{
		{Key: key(flows.TCP, "192.0.2.2:40000", "198.51.100.1:443"), Counts: counts(10), Initiator: flows.InitiatorLocal},
		{Key: key(flows.TCP, "192.0.2.2:40001", "198.51.100.1:443"), Counts: counts(20), Initiator: flows.InitiatorLocal},
		{Key: key(flows.UDP, "192.0.2.2:40001", "198.51.100.1:443"), Counts: counts(5), Initiator: flows.InitiatorLocal},
		{Key: key(flows.TCP, "192.0.2.2:22", "198.51.100.1:50000"), Counts: counts(40), Initiator: flows.InitiatorRemote},
		{Key: key(flows.TCP, "192.0.2.2:22", "198.51.100.1:50001"), Counts: counts(41), Initiator: flows.InitiatorRemote},
		{Key: key(flows.TCP, "[2001:db8::2]:40000", "[2001:db8::1]:4242"), Counts: counts(1)},
	}
	for i := range opened {
		opened[i].Locality = flows.LocalOne
	}
	sshd := func(flows.Key, flows.Initiator, int64, int64) pidmap.Attribution { return ownedBy("any", 1) }
	s := Build(Input{Flows: opened, Owner: sshd, Live: true})
	addr := func(a string) []netip.Addr { return []netip.Addr{netip.MustParseAddr(a)} }
	total := func(n uint64, bytes uint64) Totals {
		return Totals{flows.Counts{TxPackets: n, TxBytes: bytes}, int(n)}
	}
	want := []Destination{
		{Name: "198.51.100.1", NameSource: "none", Addresses: addr("198.51.100.1"), Proto: flows.TCP, Port: 22, Service: "ssh", Inbound: true, Totals: total(2, 81)},
		{Name: "198.51.100.1", NameSource: "none", Addresses: addr("198.51.100.1"), Proto: flows.TCP, Port: 443, Service: "https", Totals: total(2, 30)},
		{Name: "198.51.100.1", NameSource: "none", Addresses: addr("198.51.100.1"), Proto: flows.UDP, Port: 443, Service: "https", Totals: total(1, 5)},
		{Name: "2001:db8::1", NameSource: "none", Addresses: addr("2001:db8::1"), Proto: flows.TCP, Port: 4242, Totals: total(1, 1)},
	}
	if diff := cmp.Diff(want, s.Apps[0].Destinations, cmp.Comparer(sameAddr)); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
}

func sameAddr(a, b netip.Addr) bool { return a == b }

func TestPeersShowInDestinations(t *testing.T) {
	web := key(flows.TCP, "127.0.0.1:40000", "127.0.0.1:80")
	f := flows.Flow{Key: web, Locality: flows.LocalBoth, Initiator: flows.InitiatorLocal, Counts: flows.Counts{TxPackets: 1, TxBytes: 60}}
	all := owners{web: ownedBy("curl", 1), web.Reverse(): ownedBy("nginx", 2)}
	s := Build(Input{Flows: []flows.Flow{f}, Owner: all.Owner, Live: true})
	if len(s.Apps) != 1 || s.Apps[0].App.Name != "curl" {
		t.Fatalf("apps = %+v, want curl alone: each byte counts once", s.Apps)
	}
	if got := s.Apps[0].Destinations[0].PeerApp; got != "nginx" {
		t.Errorf("peer app = %q, want nginx", got)
	}
}

func TestServiceNames(t *testing.T) {
	tests := []struct {
		proto flows.Protocol
		port  uint16
		want  string
	}{
		{flows.TCP, 443, "https"}, {flows.UDP, 443, "https"}, {flows.TCP, 22, "ssh"}, {flows.UDP, 22, ""},
		{flows.UDP, 5353, "mdns"}, {flows.TCP, 5353, ""}, {flows.TCP, 50000, ""}, {99, 22, ""},
	}
	for _, tt := range tests {
		if got := serviceName(tt.proto, tt.port); got != tt.want {
			t.Errorf("serviceName(%v, %d) = %q, want %q", tt.proto, tt.port, got, tt.want)
		}
	}
}

func TestDropsUndecodedDegraded(t *testing.T) {
	s := Build(Input{
		Undecoded: []flows.Undecoded{{Kind: "icmp", Packets: 1, Bytes: 98}, {Kind: "arp", Packets: 2, Bytes: 84}, {Kind: "icmp", Packets: 1, Bytes: 2}},
		Interfaces: []InterfaceInput{
			{Name: "a", Received: 5, DroppedKernel: 1, StatsKnown: true}, {Name: "b", Received: 7, DroppedInterface: 2},
		},
		DroppedUserspace: 3, Incomplete: true, Degraded: []string{"b", "a", "b"},
	})
	wantKinds := []KindUse{{"icmp", 2, 100}, {"arp", 2, 84}}
	if diff := cmp.Diff(Undecoded{4, 184, wantKinds}, s.Undecoded); diff != "" {
		t.Errorf("undecoded (-want +got):\n%s", diff)
	}
	if want := (Drops{12, 1, 2, 3, true}); s.Drops != want {
		t.Errorf("drops = %+v, want %+v", s.Drops, want)
	}
	if !slices.Equal(s.Degraded, []string{"a", "b"}) || !s.Incomplete {
		t.Errorf("degraded = %q, incomplete = %v", s.Degraded, s.Incomplete)
	}
}

func TestBuildOfNothing(t *testing.T) {
	got := Build(Input{})
	if want := (&Summary{Audit: Audit{Verdict: VerdictUnavailable, Ledger: Ledger{Unavailable: "no interface was captured"}}}); !cmp.Equal(want, got) {
		t.Errorf("Build of nothing (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func prefixes(list ...string) (parsed []netip.Prefix) {
	for _, p := range list {
		parsed = append(parsed, netip.MustParsePrefix(p))
	}
	return parsed
}
