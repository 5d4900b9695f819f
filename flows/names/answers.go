package names

import (
	"encoding/binary"
	"iter"
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
	index [2][]uint64 // by kind of chain: numbers of the newest, a power of two of them

	// ever has a bit of each address that an answer had. Most flows without a stated name go to addresses that no answer
	// had; this says so from what the second-level cache holds.
	ever []uint64
}

type answer struct {
	client, addr    [16]byte
	asked, answered int64
	ttl, host       uint32    // host is a number of Texts
	older           [2]uint64 // the next of each of its chains
}

// Kinds of chains.
const (
	byAddr = iota
	byClient
)

// place is where on the index of a kind the answers to a client for an address are.
func (s *answers) place(kind int, client, addr *[16]byte) *uint64 {
	if kind == byAddr {
		client = &everyone
	}
	return &s.index[kind][hashOf(client, addr)&uint64(len(s.index[kind])-1)]
}

func hashOf(client, addr *[16]byte) uint64 {
	word := func(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
	return fold(fold(word(addr[:8]), word(addr[8:]))^word(client[:8]), word(client[8:]))
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xc2b2ae3d27d4eb4f) // odd, with as many ones as zeros
	return high ^ low
}

// add keeps an answer, unless it is the same again: it stood twice in a message, or was captured on two interfaces.
func (s *answers) add(a *answer) {
	if s.ever == nil {
		s.ever = make([]uint64, everBits/64)
	}
	if n := len(s.index[0]); n < maxAnswers && s.count >= uint64(n) {
		s.reindex(max(firstAnswers, 2*n))
	}
	for newest := range s.told(byClient, a.client, a.addr) {
		if newest.host == a.host && newest.answered == a.answered {
			return
		}
		break
	}
	s.count++
	if s.count < maxAnswers && int(s.count/answersPart) == len(s.ring) {
		s.ring = append(s.ring, make([]answer, answersPart))
	}
	*s.at(s.count) = *a
	s.chain(s.count)
	word, bit := s.bit(&a.addr)
	*word |= bit
}

// bit is where ever has the bit of an address.
func (s *answers) bit(addr *[16]byte) (word *uint64, bit uint64) {
	h := hashOf(&everyone, addr) >> 32 % everBits
	return &s.ever[h/64], 1 << (h % 64)
}

// knows says that there may be an answer for an address.
func (s *answers) knows(addr *[16]byte) bool {
	if s.count == 0 {
		return false
	}
	word, bit := s.bit(addr)
	return *word&bit != 0
}

// chain puts an answer in front of its chains.
func (s *answers) chain(n uint64) {
	a := s.get(n)
	for kind := range s.index {
		newest := s.place(kind, &a.client, &a.addr)
		a.older[kind], *newest = *newest, n
	}
}

// reindex makes room for as many chains.
func (s *answers) reindex(length int) {
	for kind := range s.index {
		s.index[kind] = make([]uint64, length)
	}
	for n := uint64(1); n <= s.count; n++ { // none has been replaced yet
		s.chain(n)
	}
}

// get is the answer of a number, nil if it is none or forgotten.
func (s *answers) get(n uint64) *answer {
	if n == 0 || n+maxAnswers <= s.count {
		return nil
	}
	return s.at(n)
}

func (s *answers) at(n uint64) *answer { return &s.ring[n%maxAnswers/answersPart][n%answersPart] }

// touch loads where the chains of an address begin.
func (s *answers) touch(client, addr [16]byte) (sum uint64) {
	if !s.knows(&addr) {
		return 0
	}
	for kind := range s.index {
		if a := s.get(*s.place(kind, &client, &addr)); a != nil {
			sum += a.older[kind]
		}
	}
	return sum
}

// told yields what was answered for an address, newest first, byClient only what that client was told.
func (s *answers) told(kind int, client, addr [16]byte) iter.Seq[*answer] {
	return func(yield func(*answer) bool) {
		if s.count == 0 {
			return
		}
		n := *s.place(kind, &client, &addr)
		for range maxSteps {
			a := s.get(n)
			if a == nil {
				return
			}
			n = a.older[kind]
			if a.addr != addr || kind == byClient && a.client != client {
				continue
			}
			if !yield(a) {
				return
			}
		}
	}
}
