// Package anonymize answers what a recording looks like without its addresses: it replaces those of packets, sockets and interfaces so
// that what two addresses have in common their replacements have in common too, and leaves payload out. cmd puts it between a
// run and its recording. It never keeps a table of replacements, and never touches what a report shows of the run itself.
//
// docs/session-format.md says what stays.
package anonymize

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net/netip"
)

// KeyBytes is the length of a key: one half encrypts, the other makes the padding.
const KeyBytes = 32

// maxRemembered bounds the replacements remembered, each half of them: about 8 MiB in all.
const maxRemembered = 32768

// Mapper replaces addresses. The same key gives the same replacements. It is not safe for concurrent use.
type Mapper struct {
	block      cipher.Block
	padding    [aes.BlockSize]byte
	young, old map[netip.Addr]netip.Addr
	people     map[string]bool // names of users, in small letters
}

// New makes a Mapper.
func New(key []byte) (*Mapper, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("anonymize: key has %d bytes, want %d", len(key), KeyBytes)
	}
	block, err := aes.NewCipher(key[:KeyBytes/2])
	if err != nil {
		return nil, fmt.Errorf("anonymize: %w", err)
	}
	m := &Mapper{block: block, young: map[netip.Addr]netip.Addr{}}
	block.Encrypt(m.padding[:], key[KeyBytes/2:])
	return m, nil
}

// Addr is the replacement of an address; it has the same length, and no zone.
func (m *Mapper) Addr(a netip.Addr) netip.Addr {
	a = a.WithZone("")
	if !a.IsValid() {
		return a
	}
	if a.Is4In6() {
		return netip.AddrFrom16(m.Addr(a.Unmap()).As16())
	}
	if known, ok := m.young[a]; ok {
		return known
	}
	known, ok := m.old[a]
	if !ok {
		known = m.replace(a)
	}
	if len(m.young) >= maxRemembered {
		m.old, m.young = m.young, map[netip.Addr]netip.Addr{}
	}
	m.young[a] = known
	return known
}

func (m *Mapper) replace(a netip.Addr) netip.Addr {
	bits := a.As16()
	address := bits[:]
	if a.Is4() {
		address = bits[12:]
	}
	m.permute(address, fixedBits(a))
	replaced, _ := netip.AddrFromSlice(address)
	return replaced
}

// permute replaces an address but for its first fixed bits. It is Crypto-PAn: each bit is flipped or not by the first bit of what
// the bits before it, padded, encrypt to, so equal prefixes stay equal (J. Xu, J. Fan, M. Ammar, S. Moon: Prefix-Preserving IP
// Address Anonymization, ICNP 2002). Its 128 bits do for IPv6 as well. An address takes a block of AES for each of its bits.
func (m *Mapper) permute(address []byte, fixed int) {
	var flips, out [aes.BlockSize]byte
	in := m.padding
	for bit := range len(address) * 8 {
		at, mask := bit/8, byte(0x80>>(bit%8))
		if bit >= fixed {
			m.block.Encrypt(out[:], in[:])
			if out[0]&0x80 != 0 {
				flips[at] |= mask
			}
		}
		in[at] = in[at]&^mask | address[at]&mask
	}
	for i := range address {
		address[i] ^= flips[i]
	}
}

// Prefix is the replacement of a prefix: of the addresses in it, it has the replacements.
func (m *Mapper) Prefix(p netip.Prefix) netip.Prefix {
	if !p.IsValid() {
		return p
	}
	return netip.PrefixFrom(m.Addr(p.Addr()), p.Bits())
}

// MAC replaces a link-layer address in place: by a locally administered one, of a group if it was one. Those of no station stay:
// zero, broadcast, and groups that are the same everywhere.
func (m *Mapper) MAC(address []byte) {
	const group, local = 1, 2
	switch {
	case len(address) != 6 || meansNobody([6]byte(address)):
		return
	case address[0] == 0x33 && address[1] == 0x33 && address[2] == 0xff: // of a solicited node: three bytes of an address
		copy(address[3:], m.digest(address)[:3])
		return
	}
	kept := address[0] & group
	copy(address, m.digest(address))
	address[0] = address[0]&^group | kept | local
}

// digest is what bytes encrypt to, behind a byte that no address begins with here.
func (m *Mapper) digest(b []byte) []byte {
	in := m.padding
	copy(in[1:], b)
	in[0] = ^in[0]
	out := make([]byte, aes.BlockSize)
	m.block.Encrypt(out, in[:])
	return out
}

func meansNobody(a [6]byte) bool {
	switch {
	case a == [6]byte{}, a == [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return true
	case a[0] == 1 && (a[1] == 0 && a[2] == 0x5e || a[1] == 0x80 && a[2] == 0xc2): // IPv4's groups, IEEE's
		return true
	}
	return a[0] == 0x33 && a[1] == 0x33 && a[2] == 0
}
