package ntstat

import (
	"bytes"
	"encoding/binary"
)

// DescriptorSize is how long the descriptor in a Descriptor or Update message is, and of which provider, whether or not its layout is
// known. ok is false for other messages.
func DescriptorSize(m Message) (p Provider, size int, ok bool) {
	at := descriptorKindAt
	switch m.Kind {
	case Update:
		at = updateKindAt
	case Descriptor:
	default:
		return 0, 0, false
	}
	if len(m.Body) < at+providerSize {
		return 0, 0, false
	}
	return Provider(binary.LittleEndian.Uint32(m.Body[at:])), len(m.Body) - at - providerSize, true
}

// Anonymise is a copy of a message without what tells of a person: addresses are zero, letters are x, and what looks like a UUID is
// zero. It knows no layout, because a message of one that is not known is the one that has to be sent: it looks for what socket addresses,
// texts and UUIDs look like anywhere. Numbers of processes, ports and counters stay.
func Anonymise(m Message) []byte {
	b := bytes.Clone(m.Body)
	if len(b) <= headerSize {
		return b
	}
	for before := []byte(nil); !bytes.Equal(before, b); { // what was cleared may look like another address
		before = bytes.Clone(b)
		anonymiseAddrs(b[headerSize:])
		anonymiseTexts(b[headerSize:])
		anonymiseUUIDs(b[headerSize:])
	}
	return b
}

// anonymiseAddrs keeps length, family and port. A sockaddr stands at a multiple of 4.
func anonymiseAddrs(b []byte) {
	for at := 0; at+16 <= len(b); at += 4 {
		switch length, family := b[at], b[at+1]; {
		case family == afInet && (length == 16 || length == 0):
			clear(b[at+4 : at+16])
		case family == afInet6 && (length == 28 || length == 0):
			clear(b[at+4 : min(at+sockaddrSize, len(b))])
		}
	}
}

// anonymiseTexts takes three printable bytes in a row for a text.
func anonymiseTexts(b []byte) {
	const shortest = 3
	start := 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] >= ' ' && b[i] <= '~' {
			continue
		}
		if i-start >= shortest {
			for j := start; j < i; j++ {
				b[j] = 'x'
			}
		}
		start = i + 1
	}
}

// anonymiseUUIDs clears 16 bytes that have version and variant of a UUID (RFC 9562), at a multiple of 4.
func anonymiseUUIDs(b []byte) {
	for at := 0; at+16 <= len(b); at += 4 {
		if version := b[at+6] >> 4; version >= 1 && version <= 8 && b[at+8]>>6 == 2 {
			clear(b[at : at+16])
		}
	}
}
