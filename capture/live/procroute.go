package live

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
)

// Flags of routes, linux/route.h.
const (
	routeUp      = 0x0001
	routeGateway = 0x0002
	routeReject  = 0x0200
)

// linuxRoutes reads the routing tables under root, which is / with proc in it. Tables other than main,
// where some tunnels keep theirs, are not in these files.
func linuxRoutes(root fs.FS) ([]route, error) {
	four, err := fs.ReadFile(root, "proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	routes := parseRoutes(string(four), parseRoute4)
	six, err := fs.ReadFile(root, "proc/net/ipv6_route")
	if err != nil {
		return routes, nil // a kernel without IPv6
	}
	return append(routes, parseRoutes(string(six), parseRoute6)...), nil
}

// parseRoutes keeps the lines that parse and lead somewhere; a headline is none.
func parseRoutes(text string, parse func([]string) (route, uint64, bool)) []route {
	var routes []route
	for line := range strings.Lines(text) {
		r, flags, ok := parse(strings.Fields(line))
		if !ok || flags&routeUp == 0 || flags&routeReject != 0 || r.Interface == "lo" {
			continue
		}
		r.Gateway = flags&routeGateway != 0
		routes = append(routes, r)
	}
	return routes
}

// parseRoute4 reads a line of /proc/net/route: interface, destination, gateway, flags, two counters,
// metric, mask, ... (net/ipv4/fib_trie.c, fib_route_seq_show). Addresses are the big-endian words
// printed as the machine's own integers, so this reads them right on little-endian machines only; a
// default route is all zeros on every machine.
func parseRoute4(f []string) (r route, flags uint64, ok bool) {
	if len(f) < 8 {
		return route{}, 0, false
	}
	to, err1 := strconv.ParseUint(f[1], 16, 32)
	flags, err2 := strconv.ParseUint(f[3], 16, 32)
	metric, err3 := strconv.ParseUint(f[6], 10, 32)
	mask, err4 := strconv.ParseUint(f[7], 16, 32)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return route{}, 0, false
	}
	var addr [4]byte
	binary.LittleEndian.PutUint32(addr[:], uint32(to))
	ones := strings.Count(strconv.FormatUint(mask, 2), "1")
	return route{Interface: f[0], To: netip.PrefixFrom(netip.AddrFrom4(addr), ones), Metric: uint32(metric)}, flags, true
}

// parseRoute6 reads a line of /proc/net/ipv6_route: destination, its length, source, its length, next
// hop, metric, two counters, flags, interface (net/ipv6/ip6_fib.c, ipv6_route_native_seq_show), all hex.
func parseRoute6(f []string) (r route, flags uint64, ok bool) {
	if len(f) < 10 {
		return route{}, 0, false
	}
	to, err1 := hex.DecodeString(f[0])
	ones, err2 := strconv.ParseUint(f[1], 16, 8)
	metric, err3 := strconv.ParseUint(f[5], 16, 32)
	flags, err4 := strconv.ParseUint(f[8], 16, 32)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || len(to) != 16 || ones > 128 {
		return route{}, 0, false
	}
	return route{Interface: f[9], To: netip.PrefixFrom(netip.AddrFrom16([16]byte(to)), int(ones)), Metric: uint32(metric)}, flags, true
}
