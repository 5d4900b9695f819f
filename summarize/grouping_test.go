package summarize

import (
	"net/netip"
	"slices"
	"testing"

	"apptap/flows"
)

// TestGrouping: the same flows by each kind of destination, folded ones too.
func TestGrouping(t *testing.T) {
	flow := func(local, remote, name string, initiator flows.Initiator) flows.Flow {
		f := flows.Flow{Key: key(flows.TCP, local, remote), Initiator: initiator, Locality: flows.LocalOne, Counts: flows.Counts{TxPackets: 1, TxBytes: 60}}
		f.Names.TLS = name
		return f
	}
	all := []flows.Flow{
		flow("192.0.2.2:1", "198.51.100.1:443", "www.example.co.uk", flows.InitiatorLocal),
		flow("192.0.2.2:2", "198.51.100.2:443", "api.example.co.uk", flows.InitiatorLocal),
		flow("192.0.2.2:3", "203.0.113.3:443", "", flows.InitiatorLocal),
		flow("192.0.2.2:443", "198.51.100.4:5", "my.own.name", flows.InitiatorRemote),
	}
	place := func(addr netip.Addr) string {
		if netip.MustParsePrefix("198.51.100.0/24").Contains(addr) {
			return "AS64500 Example"
		}
		return ""
	}
	for by, want := range map[GroupBy][]string{
		ByName:    {"198.51.100.4 none", "203.0.113.3 none", "api.example.co.uk tls_sni", "www.example.co.uk tls_sni"},
		ByDomain:  {"198.51.100.4 none", "203.0.113.3 none", "example.co.uk domain"},
		ByAddress: {"198.51.100.1 none", "198.51.100.2 none", "198.51.100.4 none", "203.0.113.3 none"},
		ByNetwork: {"203.0.113.3 none", "AS64500 Example asn", "AS64500 Example asn"}, // one of them inbound
	} {
		for _, fold := range []bool{false, true} {
			in := Input{Flows: all, Destinations: Grouping{By: by, Place: place}}
			if fold {
				in.Folded, in.Flows = NewFolded(), nil
				for i := range all {
					in.Folded.Add(&in, &all[i])
				}
			}
			var got []string
			for _, d := range Build(in).Unattributed.Destinations {
				got = append(got, d.Name+" "+d.NameSource)
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("by %d, folded %t: got %q, want %q", by, fold, got, want)
			}
		}
	}
}

// TestNamed: only what has no name gets one, and the Summary that was there stays.
func TestNamed(t *testing.T) {
	f := flows.Flow{Key: key(flows.TCP, "192.0.2.2:1", "198.51.100.1:443"), Initiator: flows.InitiatorLocal, Locality: flows.LocalOne}
	g := f
	g.Names.TLS = "stated.example"
	before := Build(Input{Flows: []flows.Flow{f, g}})
	after := before.Named(func(addr netip.Addr) string { return "ptr-" + addr.String() }, "rdns")
	var got []string
	for _, s := range []*Summary{before, after} {
		for _, d := range s.Unattributed.Destinations {
			got = append(got, d.Name+" "+d.NameSource)
		}
	}
	if want := []string{"198.51.100.1 none", "stated.example tls_sni", "ptr-198.51.100.1 rdns", "stated.example tls_sni"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
