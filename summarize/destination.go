package summarize

import (
	"slices"

	"apptap/flows"
)

const (
	// maxDestinations bounds the destinations that a report keeps apart while it sums, about 100 bytes each.
	maxDestinations = 1 << 20
	// maxFoldedDestinations bounds those that outlive their flows.
	maxFoldedDestinations = 1 << 18
	// maxTexts bounds the different names, which strangers make up; past it destinations are addresses.
	maxTexts = 1 << 18
	// maxAddresses bounds the addresses that are listed of one name.
	maxAddresses = 64
)

// destinationKey is what flows to one destination have in common. It is packed: a capture in transit has a million of
// them.
type destinationKey struct {
	remote  flows.Endpoint // with the service's port; without an address where there is a name
	proto   flows.Protocol
	ipv6    bool
	inbound bool
	source  nameSource
	group   uint32 // see nobodysGroup
	peer    uint32 // index+1 into destinationTable.texts, 0 = none
	name    uint32 // the same
}

// destinationSum is what flows to one destination add up to.
type destinationSum struct {
	key    destinationKey
	totals Totals
}

// nameSource is where the name of a destination stood.
type nameSource uint8

// sources are the report's words, by nameSource: those of flows.Names.Best, in its order, and of Grouping.
var sources = [...]string{"none", "tls_sni", "quic_sni", "http_host", "dns", "domain", "asn", "country", "ech_outer"}

// String is the report's word.
func (s nameSource) String() string { return sources[s] }

// keyOf says where a flow went. Of a flow whose opener is not known the remote port is taken for the service's: an app
// has more flows that it opened itself.
func (d *destinationTable) keyOf(use *FlowUse) destinationKey {
	f := &use.Flow
	key := destinationKey{remote: f.Key.Remote, proto: f.Key.Proto, ipv6: f.Key.IPv6}
	if f.Initiator == flows.InitiatorRemote {
		key.inbound, key.remote.Port = true, f.Key.Local.Port
	}
	if host, source := d.by.name(f); host != "" && len(d.texts.list) < maxTexts {
		number := f.Names.Number
		if d.by.By != ByName {
			number = 0
		}
		key.name, key.source = d.host(host, number), nameSource(slices.Index(sources[:], source))
		key.remote.Addr, key.ipv6 = [16]byte{}, false
	}
	if f.Locality == flows.LocalBoth && use.Peer.Known() {
		key.peer = d.text(use.Peer.App.Name) // a port of this host may have had two apps behind it
	}
	return key
}

// host is text of a flow's name, without a look-up where the flows' Table gave it a number.
func (d *destinationTable) host(name string, number uint32) uint32 {
	if number == 0 {
		return d.text(name)
	}
	if int(number) >= len(d.numbers) {
		d.numbers = append(d.numbers, make([]uint32, int(number)+1-len(d.numbers))...)
	}
	if d.numbers[number] == 0 {
		d.numbers[number] = d.text(name)
	}
	return d.numbers[number]
}

// text is the number of a name.
func (d *destinationTable) text(name string) uint32 {
	i := d.texts.indexOf(name)
	d.texts.list[i] = name
	return uint32(i) + 1
}
