package summarize

import (
	"net/netip"
	"slices"

	"apptap/flows"
)

// destinationKey is what flows to one destination have in common.
type destinationKey struct {
	addr    netip.Addr // formatted once a destination, not once a flow
	proto   flows.Protocol
	port    uint16
	inbound bool
	peerApp string // a port of this host may have had two apps behind it
}

type destinations struct {
	groups[destinationKey, Destination]
}

func (d *destinations) add(use *FlowUse) {
	key := destinationOf(use)
	to := d.at(key)
	if to.Flows == 0 {
		*to = Destination{
			Name: key.addr.String(), NameSource: "none", Proto: key.proto, Port: key.port,
			Service: serviceName(key.proto, key.port), Inbound: key.inbound, PeerApp: key.peerApp,
		}
	}
	to.Totals = to.Totals.Add(totalsOf(use))
	to.Addresses = withAddr(to.Addresses, use.Flow.Key.RemoteAddr().Addr())
}

func (d *destinations) result() []Destination {
	slices.SortFunc(d.list, compareDestinations)
	return d.list
}

// destinationOf says where a flow went. Of a flow whose opener is not known the remote port is taken for
// the service's: an app has more flows that it opened itself.
func destinationOf(use *FlowUse) destinationKey {
	f := &use.Flow
	key := destinationKey{
		addr:  f.Key.RemoteAddr().Addr(),
		proto: f.Key.Proto,
		port:  f.Key.Remote.Port,
	}
	if f.Initiator == flows.InitiatorRemote {
		key.inbound, key.port = true, f.Key.Local.Port
	}
	if f.Locality == flows.LocalBoth && use.Peer.Known() {
		key.peerApp = use.Peer.App.Name
	}
	return key
}

// withAddr inserts addr into a sorted list without duplicates.
func withAddr(addrs []netip.Addr, addr netip.Addr) []netip.Addr {
	i, found := slices.BinarySearchFunc(addrs, addr, netip.Addr.Compare)
	if found {
		return addrs
	}
	return slices.Insert(addrs, i, addr)
}
