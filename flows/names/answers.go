package names

import (
	"encoding/binary"
	"math/bits"
)

const (
	// maxAnswers bounds what is remembered, and with it memory: some 6 MiB of answers when full. A busy host learns
	// some thousand addresses an hour.
	maxAnswers = 1 << 16
	// everBits is four times maxAnswers: three of four addresses that no answer had are told so at once even if full.
	everBits = 4 * maxAnswers
	// firstAnswers is for how many there is an index at first, and answersPart how many have their memory at a time.
	firstAnswers, answersPart = 1 << 10, 1 << 10
	// maxSteps bounds how many answers are looked through: nobody makes a look-up slow by telling one address again and
	// again, or addresses that fall on one place of the index. It is more than come in a batch of packets.
	maxSteps = 1 << 10
)

// everyone is the client of answers that a host's own resolver gave over the loopback interface, or a group was told.
var everyone [16]byte

// answers are the newest answers, in a ring without pointers. Each is in two chains, of those that fall on one place of
// an index: by address, and by address and client. That is less to touch than a map from either to answers.
type answers struct {
	ring  [][]answer  // answer n stands at n modulo maxAnswers, in parts: growing copies none; number 0 is none
	count uint64      // answers ever
	index [2][]uint32 // by kind of chain: numbers of the newest, modulo 2^32; a power of two of them

	// ever has a bit of each address that an answer had. Most flows without a stated name go to addresses that no answer
	// had; this says so from what the second-level cache holds.
	ever []uint64
}

// answer fills a cache line.
type answer struct {
	client, addr    [16]byte
	asked, answered int64
	ttl, host       uint32    // host is a number of Texts
	older           [2]uint32 // the next of each of its chains, modulo 2^32
}

// Kinds of chains.
const (
	byAddr = iota
	byClient
)

// hashes are where a client's answers for an address stand: by kind of chain.
func hashes(client, addr *[16]byte) [2]uint64 {
	word := func(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
	of := fold(word(addr[:8]), word(addr[8:]))
	return [2]uint64{byAddr: fold(of, 0), byClient: fold(of^word(client[:8]), word(client[8:]))}
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xc2b2ae3d27d4eb4f) // odd, with as many ones as zeros
	return high ^ low
}

// place is where on the index of a kind a hash is.
func (s *answers) place(kind int, hash uint64) *uint32 {
	return &s.index[kind][hash&uint64(len(s.index[kind])-1)]
}

// add keeps an answer, unless it is the same again: it stood twice in a message, or was captured on two interfaces.
func (s *answers) add(a *answer) {
	if s.ever == nil {
		s.ever = make([]uint64, everBits/64)
	}
	if n := len(s.index[0]); n < maxAnswers && s.count >= uint64(n) {
		s.reindex(max(firstAnswers, 2*n))
	}
	at := hashes(&a.client, &a.addr)
	if newest := s.get(*s.place(byClient, at[byClient])); newest != nil &&
		newest.answered == a.answered && newest.host == a.host && newest.addr == a.addr && newest.client == a.client {
		return
	}
	if s.count++; uint32(s.count) == 0 {
		s.count++ // a number that would be none
	}
	if s.count < maxAnswers && int(s.count/answersPart) == len(s.ring) {
		s.ring = append(s.ring, make([]answer, answersPart))
	}
	*s.at(s.count) = *a
	s.chain(s.count, at)
	word, bit := s.bit(at[byAddr])
	*word |= bit
}

// bit is where ever has the bit of an address, of which hash is the one by address.
func (s *answers) bit(hash uint64) (word *uint64, bit uint64) {
	h := hash >> 32 % everBits
	return &s.ever[h/64], 1 << (h % 64)
}

// knows says that there may be an answer for an address.
func (s *answers) knows(hash uint64) bool {
	if s.count == 0 {
		return false
	}
	word, bit := s.bit(hash)
	return *word&bit != 0
}

// chain puts an answer in front of its chains.
func (s *answers) chain(n uint64, at [2]uint64) {
	a := s.at(n)
	for kind := range s.index {
		newest := s.place(kind, at[kind])
		a.older[kind], *newest = *newest, uint32(n)
	}
}

// reindex makes room for as many chains.
func (s *answers) reindex(length int) {
	for kind := range s.index {
		s.index[kind] = make([]uint32, length)
	}
	for n := uint64(1); n <= s.count; n++ { // none has been replaced yet
		a := s.at(n)
		s.chain(n, hashes(&a.client, &a.addr))
	}
}

// get is the answer of a number, nil if it is none or forgotten. One that was forgotten 2^32 answers ago passes for another:
// who reads it looks at its address.
func (s *answers) get(number uint32) *answer {
	age := uint64(uint32(s.count) - number)
	if number == 0 || age >= maxAnswers || age >= s.count {
		return nil
	}
	return s.at(s.count - age)
}

func (s *answers) at(n uint64) *answer { return &s.ring[n%maxAnswers/answersPart][n%answersPart] }

// touch loads where the chains of an address begin.
func (s *answers) touch(client, addr *[16]byte) (sum uint64) {
	at := hashes(client, addr)
	if !s.knows(at[byAddr]) {
		return 0
	}
	for kind := range s.index {
		if a := s.get(*s.place(kind, at[kind])); a != nil {
			sum += uint64(a.ttl)
		}
	}
	return sum
}

// touchPlaces loads what add needs.
func (s *answers) touchPlaces(client, addr *[16]byte) (sum uint64) {
	if s.count == 0 {
		return 0
	}
	at := hashes(client, addr)
	word, _ := s.bit(at[byAddr])
	return *word + uint64(*s.place(byAddr, at[byAddr])) + uint64(*s.place(byClient, at[byClient]))
}
