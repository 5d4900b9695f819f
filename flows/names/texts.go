package names

import "sync"

// maxTexts bounds the different names that are kept. Past it further names are not: whoever makes up a name for each
// flow must not fill the memory.
const maxTexts = 1 << 18

// maxLong bounds the long ones of them that are remembered as they stood on the wire.
const maxLong = 1 << 14

// maxRaw is how long a name may be to be remembered as it stood on the wire: no longer ones are meant.
const maxRaw = 255

// Texts gives each different name a number, so that flows and answers hold four bytes of it. The zero value is ready.
// Not safe for concurrent use; see Twin.
type Texts struct {
	numbers map[string]uint32 // of the names that were asked for here
	raw     rawTexts          // of names as they stood in a hello: an escape in them would be another's clean name
	wire    rawTexts          // of names as they stood in a message of DNS, in labels
	alpn    rawTexts          // of lists of protocols as they are encoded
	shared  *sharedTexts
}

// rawTexts are the numbers of texts as they stood on the wire.
type rawTexts struct {
	short rawIndex
	long  map[string]uint32 // those that are no short
}

// Twin makes Texts that give the same numbers, for another goroutine. Each Text may be asked of any of them once its number was
// handed over, by a channel say. Which names find room depends on what was asked of this one alone, so that it is
// the same in every run.
func (t *Texts) Twin() *Texts { return &Texts{shared: t.all()} }

func (t *Texts) all() *sharedTexts {
	if t.shared == nil {
		t.shared = new(sharedTexts)
	}
	return t.shared
}

// textsPart is how many texts stand together. Parts never move: they are read while others are added.
const textsPart = 1 << 10

// sharedTexts are the texts of all twins. Text n has number n+1.
type sharedTexts struct {
	mutex   sync.Mutex // guards all but the texts that have a number
	numbers map[string]uint32
	parts   [4 * maxTexts / textsPart]*[textsPart]string
}

func (s *sharedTexts) number(text string) uint32 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n := len(s.numbers)
	if number, known := s.numbers[text]; known || n/textsPart == len(s.parts) {
		return number
	}
	if s.numbers == nil {
		s.numbers = make(map[string]uint32)
	}
	part := &s.parts[n/textsPart]
	if *part == nil {
		*part = new([textsPart]string)
	}
	(*part)[n%textsPart] = text
	s.numbers[text] = uint32(n + 1)
	return uint32(n + 1)
}

func (s *sharedTexts) text(number uint32) string {
	return s.parts[(number-1)/textsPart][(number-1)%textsPart]
}

// Number is the number of a clean name, from 1; 0 for "" and for a new one that finds no room.
func (t *Texts) Number(text string) uint32 {
	if text == "" {
		return 0
	}
	if n, known := t.numbers[text]; known || len(t.numbers) == maxTexts {
		return n
	}
	n := t.all().number(text)
	if n == 0 {
		return 0
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint32)
	}
	t.numbers[t.shared.text(n)] = n
	return n
}

// NumberOfRaw is the number of Clean(raw). Most names have been seen before, and then it allocates nothing.
func (t *Texts) NumberOfRaw(raw []byte) uint32 { return t.remembered(&t.raw, raw, Clean) }

// NumberOfALPN is the number of Protocols(list).
func (t *Texts) NumberOfALPN(list []byte) uint32 { return t.remembered(&t.alpn, list, Protocols) }

// remembered is the number of read(raw), which it asks for once.
func (t *Texts) remembered(known *rawTexts, raw []byte, read func([]byte) string) uint32 {
	if len(raw) == 0 {
		return 0
	}
	if len(raw) > maxShort {
		return t.rememberedLong(known, raw, read)
	}
	n, ok, hash := known.short.find(raw)
	if ok {
		return n
	}
	n = t.Number(read(raw))
	if known.short.length < maxTexts {
		known.short.add(raw, hash, n)
	}
	return n
}

func (t *Texts) rememberedLong(known *rawTexts, raw []byte, read func([]byte) string) uint32 {
	if n, ok := known.long[string(raw)]; ok {
		return n
	}
	text := read(raw)
	n := t.Number(text)
	if len(known.long) == maxLong || len(raw) > maxRaw {
		return n
	}
	if known.long == nil {
		known.long = make(map[string]uint32)
	}
	if text != string(raw) {
		text = string(raw)
	}
	known.long[text] = n
	return n
}

// Text is the name of a number, "" for 0.
func (t *Texts) Text(number uint32) string {
	if number == 0 {
		return ""
	}
	return t.shared.text(number)
}

// known is string(text), the one that is kept if there is one.
func (t *Texts) known(text []byte) string {
	if t != nil {
		if n, ok := t.numbers[string(text)]; ok {
			return t.shared.text(n)
		}
	}
	return string(text)
}
