package live

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	bsdroute "golang.org/x/net/route"
)

func describeDevice(row *InterfaceRow) { describeDarwin(row) }

// readRoutes dumps the kernel's routing table (sysctl net.route, route(4)).
func readRoutes() ([]route, error) {
	table, err := bsdroute.FetchRIB(syscall.AF_UNSPEC, bsdroute.RIBTypeRoute, 0)
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	messages, err := bsdroute.ParseRIB(bsdroute.RIBTypeRoute, table)
	if err != nil {
		return nil, fmt.Errorf("parse routes: %w", err)
	}
	var routes []route
	for _, m := range messages {
		if r, ok := routeOf(m); ok {
			routes = append(routes, r)
		}
	}
	return routes, nil
}

func routeOf(m bsdroute.Message) (route, bool) {
	message, ok := m.(*bsdroute.RouteMessage)
	if !ok || len(message.Addrs) <= syscall.RTAX_DST {
		return route{}, false
	}
	to, ok := destination(message.Addrs)
	if !ok {
		return route{}, false
	}
	i, err := net.InterfaceByIndex(message.Index)
	if err != nil {
		return route{}, false
	}
	return darwinRoute{flags: message.Flags, to: to, iface: i.Name, loopback: i.Flags&net.FlagLoopback != 0}.route()
}

// destination is the prefix of a route; only whether it is empty and of which family is used, so a
// netmask that does not parse counts as a host's.
func destination(addrs []bsdroute.Addr) (netip.Prefix, bool) {
	var mask bsdroute.Addr
	if len(addrs) > syscall.RTAX_NETMASK {
		mask = addrs[syscall.RTAX_NETMASK]
	}
	switch to := addrs[syscall.RTAX_DST].(type) {
	case *bsdroute.Inet4Addr:
		if m, ok := mask.(*bsdroute.Inet4Addr); ok {
			return netip.PrefixFrom(netip.AddrFrom4(to.IP), maskBits(m.IP[:])), true
		}
		return netip.PrefixFrom(netip.AddrFrom4(to.IP), 32), true
	case *bsdroute.Inet6Addr:
		if m, ok := mask.(*bsdroute.Inet6Addr); ok {
			return netip.PrefixFrom(netip.AddrFrom16(to.IP), maskBits(m.IP[:])), true
		}
		return netip.PrefixFrom(netip.AddrFrom16(to.IP), 128), true
	}
	return netip.Prefix{}, false
}
