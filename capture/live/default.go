package live

import (
	"fmt"
	"net/netip"
	"slices"
)

// Default names the interface to capture on when none is named: the physical one that carries the
// default route, for IPv4 before IPv6. Where the default route goes into a tunnel it is the physical
// interface below, and note says so in a sentence. Without a default route it is the first interface
// that is up, no loopback, and has an address, one that is not of its link alone if there is such, and note says that. Its error is a *NoInterfaceError
// where there is none such, or wraps errors.ErrUnsupported where this system's routes are not read and
// nothing else was found.
func Default() (name, note string, err error) {
	rows, err := Interfaces()
	if err != nil {
		return "", "", err
	}
	routes, routesErr := readRoutes()
	if name, note := defaultOf(routes, rows); name != "" {
		return name, note, nil
	}
	if name := firstUsable(rows); name != "" {
		reason := "there is no default route"
		if routesErr != nil {
			reason = routesErr.Error()
		}
		return name, reason + ": chose the first interface that is up and has an address", nil
	}
	if routesErr != nil {
		return "", "", routesErr
	}
	return "", "", &NoInterfaceError{Available: available()}
}

// route is a line of a routing table.
type route struct {
	Interface string
	To        netip.Prefix
	Gateway   bool // goes to a next hop, not to a neighbour
	Metric    uint32
}

func (r route) isDefault() bool { return r.To.Bits() == 0 }

// defaultOf chooses by routes; name is "" where there is no default route.
func defaultOf(routes []route, rows []InterfaceRow) (name, note string) {
	tunnel := make(map[string]bool)
	for _, r := range rows {
		tunnel[r.Name] = r.Tunnel || r.Loopback
	}
	over := halved(routes, tunnel)
	if over == "" {
		over = lowest(routes, route.isDefault)
	}
	if over == "" {
		return "", ""
	}
	if !tunnel[over] {
		return over, ""
	}
	// The tunnel's own packets leave by another default route, or by a route to the tunnel's server.
	below := func(r route) bool { return !tunnel[r.Interface] }
	server := lowest(routes, func(r route) bool { return below(r) && r.Gateway && r.To.IsSingleIP() })
	for _, fits := range []func(route) bool{
		func(r route) bool { return below(r) && r.isDefault() && r.Interface == server },
		func(r route) bool { return below(r) && r.isDefault() },
		func(r route) bool { return below(r) && r.Gateway },
		below,
	} {
		if under := lowest(routes, fits); under != "" {
			return under, fmt.Sprintf("the default route goes into the tunnel %s: chose %s below it, where packets are wrapped; -i %s shows them unwrapped", over, under, over)
		}
	}
	return over, fmt.Sprintf("the default route goes into the tunnel %s, and no interface below it was found", over)
}

// halved is the tunnel that has the two halves of the Internet, as VPNs like to take the place of a default route without touching
// it.
func halved(routes []route, tunnel map[string]bool) string {
	low, high := netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/1")
	has := func(name string, to netip.Prefix) bool {
		return slices.ContainsFunc(routes, func(r route) bool { return r.Interface == name && r.To == to })
	}
	for _, r := range routes {
		if tunnel[r.Interface] && r.To == low && has(r.Interface, high) {
			return r.Interface
		}
	}
	return ""
}

// lowest returns the interface of the route with the lowest metric among those that fit, IPv4 before
// IPv6; the first on a tie.
func lowest(routes []route, fits func(route) bool) string {
	for _, four := range [2]bool{true, false} {
		best := route{}
		for _, r := range routes {
			if r.To.Addr().Is4() == four && fits(r) && (best.Interface == "" || r.Metric < best.Metric) {
				best = r
			}
		}
		if best.Interface != "" {
			return best.Interface
		}
	}
	return ""
}

// firstUsable is the first interface that could carry traffic to others. A Mac has many with an address of their link alone: awdl0, llw0,
// utun0 and its like.
func firstUsable(rows []InterfaceRow) string {
	routed := func(p netip.Prefix) bool { return !p.Addr().IsLinkLocalUnicast() }
	for _, fits := range []func(InterfaceRow) bool{
		func(r InterfaceRow) bool { return !r.Tunnel && slices.ContainsFunc(r.Addrs, routed) },
		func(r InterfaceRow) bool { return slices.ContainsFunc(r.Addrs, routed) },
		func(r InterfaceRow) bool { return len(r.Addrs) > 0 },
	} {
		for _, r := range rows {
			if r.Up && !r.Loopback && fits(r) {
				return r.Name
			}
		}
	}
	return ""
}
