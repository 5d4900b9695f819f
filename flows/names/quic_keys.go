package names

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
)

// Versions of QUIC whose Initial packets can be read. The salts are those of RFC 9001 §5.2, RFC 9369 §3.3.1 and the
// drafts before (draft-ietf-quic-tls-22, -23, -29); those of Google's are in its quic/core/crypto/crypto_utils.cc.
const (
	quicV1 = 0x00000001
	quicV2 = 0x6b3343cf // RFC 9369 §3.1

	quicDraft = 0xff000000 // ff0000NN is draft NN

	quicMvfst1 = 0xfaceb001 // Facebook's: draft 22
	quicMvfst2 = 0xfaceb002 // draft 27
	quicMvfstE = 0xfaceb00e // draft 27

	quicQ050 = 0x51303530
	quicT050 = 0x54303530
	quicT051 = 0x54303531
)

// initialSalt is what a version mixes into the keys of its Initial packets; "" if that is unknown. A reserved version
// (RFC 9000 §15, 0x?a?a?a?a) is offered to be refused; in the recorded captures its packets have the keys of draft 29.
func initialSalt(version uint32) string {
	const (
		draft22 = "\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a"
		draft23 = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
		draft29 = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
		v1      = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
		v2      = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
		q050    = "\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45"
		t050    = "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
		t051    = "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
	)
	switch version {
	case quicV1:
		return v1
	case quicV2:
		return v2
	case quicMvfst1:
		return draft22
	case quicMvfst2, quicMvfstE:
		return draft23
	case quicQ050:
		return q050
	case quicT050:
		return t050
	case quicT051:
		return t051
	}
	switch n := version - quicDraft; {
	case version < quicDraft || n > 34:
	case n >= 33:
		return v1
	case n >= 29:
		return draft29
	case n >= 23:
		return draft23
	case n >= 21:
		return draft22
	}
	if version&0x0f0f0f0f == 0x0a0a0a0a {
		return draft29
	}
	return ""
}

// initialKeys open the client's Initial packets of one connection (RFC 9001 §5).
type initialKeys struct {
	version uint32
	id      ConnID // the client's first destination connection ID, or that of a Retry
	aead    cipher.AEAD
	header  cipher.Block
	iv      [12]byte
}

// newInitialKeys derives the keys; nil for a version whose keys are unknown. It costs some 3 us.
func newInitialKeys(version uint32, id ConnID) *initialKeys {
	salt := initialSalt(version)
	if salt == "" {
		return nil
	}
	initial := mac([]byte(salt), id.bytes()) // HKDF-Extract
	secret := expandLabel(&initial, "client in", sha256.Size)
	key, header, iv := "quic key", "quic hp", "quic iv"
	if version == quicV2 { // RFC 9369 §3.3.2
		key, header, iv = "quicv2 key", "quicv2 hp", "quicv2 iv"
	}
	keyBytes := expandLabel(&secret, key, 16)
	block, err := aes.NewCipher(keyBytes[:16])
	if err != nil {
		return nil
	}
	k := &initialKeys{version: version, id: id}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	headerBytes := expandLabel(&secret, header, 16)
	if k.header, err = aes.NewCipher(headerBytes[:16]); err != nil {
		return nil
	}
	ivBytes := expandLabel(&secret, iv, 12)
	copy(k.iv[:], ivBytes[:])
	return k
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 §7.1), for at most 32 bytes: those of one HMAC, of
// which the caller takes the first length ones. It is written out since crypto/hkdf costs 20 us and 50 allocations a
// packet, and these keys are no secret.
func expandLabel(secret *[32]byte, label string, length byte) [32]byte {
	var buf [40]byte
	info := append(buf[:0], 0, length, byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	return mac(secret[:], append(info, 0, 1))
}

// mac is HMAC-SHA256 (RFC 2104) for keys and messages of at most 64 bytes.
func mac(key, message []byte) [32]byte {
	var inner, outer [128]byte
	copy(inner[:64], key)
	copy(outer[:64], key)
	for i := range 64 {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	digest := sha256.Sum256(inner[:64+copy(inner[64:], message)])
	return sha256.Sum256(outer[:64+copy(outer[64:], digest[:])])
}

// open removes header and packet protection (RFC 9001 §5.3, §5.4) of the packet whose packet number begins at
// number, into buf; nil if the keys are not this packet's. The packet stays as it is.
func (k *initialKeys) open(packet []byte, number int, buf []byte) []byte {
	if len(packet) < number+4+16 {
		return nil
	}
	var mask [16]byte
	k.header.Encrypt(mask[:], packet[number+4:number+20])
	first := packet[0] ^ mask[0]&0x0f
	width := int(first&3) + 1
	n := uint64(0)
	for i := range width {
		n = n<<8 | uint64(packet[number+i]^mask[1+i])
	}
	// A connection's Initial packets are few: the bits of the packet number that are left out are zero.
	nonce := k.iv
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^n)
	head := append(buf[:0], packet[:number+width]...)
	head[0] = first
	for i := range width {
		head[number+i] ^= mask[1+i]
	}
	plain, err := k.aead.Open(head[len(head):], nonce[:], packet[number+width:], head)
	if err != nil {
		return nil
	}
	return plain
}
