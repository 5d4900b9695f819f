package anonymize

import (
	"math/bits"
	"net/netip"
	"slices"
)

// kept are the prefixes that say what an address is for and not whose it is. They stay, and nothing else is moved into them; of
// those with whole set, all of the address stays.
var kept = []struct {
	prefix netip.Prefix
	whole  bool
}{
	{netip.MustParsePrefix("0.0.0.0/32"), true},
	{netip.MustParsePrefix("127.0.0.0/8"), true},
	{netip.MustParsePrefix("224.0.0.0/4"), true},
	{netip.MustParsePrefix("255.255.255.255/32"), true},
	{netip.MustParsePrefix("169.254.0.0/16"), false},
	{netip.MustParsePrefix("10.0.0.0/8"), false},
	{netip.MustParsePrefix("172.16.0.0/12"), false},
	{netip.MustParsePrefix("192.168.0.0/16"), false},
	{netip.MustParsePrefix("::/128"), true},
	{netip.MustParsePrefix("::1/128"), true},
	{netip.MustParsePrefix("fe80::/10"), false},
	{netip.MustParsePrefix("fc00::/7"), false},
	{netip.MustParsePrefix("ff00::/8"), false},
	{netip.MustParsePrefix("ff02::/112"), true},          // the groups of RFC 4291 §2.7.1 and of well-known protocols
	{netip.MustParsePrefix("ff02::1:ff00:0/104"), false}, // the rest is the end of an address
}

// fixedBits is how many of a's first bits stay: as far as they are those of a kept prefix, and the next one, so that no address
// outside is moved inside.
func fixedBits(a netip.Addr) (fixed int) {
	for _, k := range kept {
		if k.prefix.Addr().Is4() != a.Is4() {
			continue
		}
		if k.whole && k.prefix.Contains(a) {
			return a.BitLen()
		}
		fixed = max(fixed, min(common(k.prefix.Addr(), a)+1, k.prefix.Bits()))
	}
	return fixed
}

// common is how many bits two addresses of one length begin with alike.
func common(a, b netip.Addr) (n int) {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if different := x[i] ^ y[i]; different != 0 {
			return n + bits.LeadingZeros8(different)
		}
		n += 8
	}
	return n
}

// IsKept says whether an address stays as it is.
func IsKept(a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(kept, func(k struct {
		prefix netip.Prefix
		whole  bool
	}) bool {
		return k.whole && k.prefix.Contains(a)
	})
}
