package session

import (
	"fmt"
	"net/netip"

	"apptap/flows"
)

// keyRecord is a 5-tuple: addresses and ports as people write them, [::]:0 where there is none.
type keyRecord struct {
	Proto  uint8          `json:"proto"` // IANA number
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	IPv6   bool           `json:"ipv6,omitempty"`
}

func keyRecordOf(k flows.Key) keyRecord {
	return keyRecord{uint8(k.Proto), addrPortOf(k.Local), addrPortOf(k.Remote), k.IPv6}
}

func addrPortOf(e flows.Endpoint) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.Addr).Unmap(), e.Port)
}

func (r keyRecord) key() (flows.Key, error) {
	if !r.Local.IsValid() || !r.Remote.IsValid() {
		return flows.Key{}, fmt.Errorf("5-tuple %v -> %v: want two addresses with ports", r.Local, r.Remote)
	}
	return flows.Key{Local: endpointOf(r.Local), Remote: endpointOf(r.Remote), Proto: flows.Protocol(r.Proto), IPv6: r.IPv6}, nil
}

func endpointOf(a netip.AddrPort) flows.Endpoint {
	return flows.Endpoint{Addr: a.Addr().As16(), Port: a.Port()}
}
