package live

import (
	"fmt"
	"net"
	"net/netip"

	"apptap/capture"
)

// InterfaceRow is what is known of an interface without capturing on it.
type InterfaceRow struct {
	Name        string
	Description string // libpcap's, "" where it has none
	Addrs       []netip.Prefix
	Up          bool
	Loopback    bool
	Wireless    bool
	Tunnel      bool // what it carries crosses another interface as well, wrapped
	LinkType    capture.LinkType
	// LinkTypeKnown is false where only a capture would tell the link type.
	LinkTypeKnown bool
}

// Interfaces lists the interfaces that can be captured, in the operating system's order; then those
// that only libpcap knows, such as Linux's any.
func Interfaces() ([]InterfaceRow, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	rows := make([]InterfaceRow, 0, len(found))
	for i := range found {
		rows = append(rows, rowOf(&found[i]))
	}
	return withPcap(rows, pcapInterfaces()), nil
}

func rowOf(i *net.Interface) InterfaceRow {
	row := InterfaceRow{
		Name:     i.Name,
		Addrs:    prefixesOf(i),
		Up:       i.Flags&net.FlagUp != 0,
		Loopback: i.Flags&net.FlagLoopback != 0,
	}
	describeDevice(&row)
	return row
}

// withPcap adds to the system's rows what libpcap knows besides.
func withPcap(rows, known []InterfaceRow) []InterfaceRow {
	index := make(map[string]int, len(rows))
	for i, r := range rows {
		index[r.Name] = i
	}
	for _, k := range known {
		i, ok := index[k.Name]
		if !ok {
			rows = append(rows, k)
			continue
		}
		rows[i].Description = k.Description
		rows[i].Wireless = rows[i].Wireless || k.Wireless
	}
	return rows
}

// prefixesOf lists an interface's addresses; none where the system will not say.
func prefixesOf(i *net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// describe fills in what a live capture knows about its interface besides the link type. A device that
// is no interface (any) has every address of this host.
func describe(name string) capture.Interface {
	described := capture.Interface{Name: name}
	rows, err := Interfaces()
	if err != nil {
		return described
	}
	for _, r := range rows {
		if r.Name == name {
			described.Description, described.Loopback = r.Description, r.Loopback
			described.Addrs = r.Addrs
		}
	}
	if _, err := net.InterfaceByName(name); err != nil {
		for _, r := range rows {
			described.Addrs = append(described.Addrs, r.Addrs...)
		}
	}
	return described
}
