package names

// maxTexts bounds the different names that are kept. Past it further names are not: whoever makes up a name for each
// flow must not fill the memory.
const maxTexts = 1 << 18

// maxRaw is how long a name may be to be remembered as it stood on the wire: no longer ones are meant.
const maxRaw = 255

// Texts gives each different name a number, so that flows and answers hold four bytes of it. The zero value is ready.
// Not safe for concurrent use while names are added.
type Texts struct {
	list    []string          // text n has number n+1
	numbers map[string]uint32 // of the list
	raw     map[string]uint32 // of names as they stood on the wire: an escape in them would be another's clean name
	alpn    map[string]uint32 // of lists of protocols as they are encoded
}

// Number is the number of a clean name, from 1; 0 for "" and for a new one that finds no room.
func (t *Texts) Number(text string) uint32 {
	if text == "" {
		return 0
	}
	if n, known := t.numbers[text]; known || len(t.list) == maxTexts {
		return n
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint32)
	}
	t.list = append(t.list, text)
	t.numbers[text] = uint32(len(t.list))
	return uint32(len(t.list))
}

// NumberOfRaw is the number of Clean(raw). Most names have been seen before, and then it allocates nothing.
func (t *Texts) NumberOfRaw(raw []byte) uint32 { return t.remembered(&t.raw, raw, Clean) }

// NumberOfALPN is the number of Protocols(list).
func (t *Texts) NumberOfALPN(list []byte) uint32 { return t.remembered(&t.alpn, list, Protocols) }

// remembered is the number of read(raw), which it asks for once.
func (t *Texts) remembered(known *map[string]uint32, raw []byte, read func([]byte) string) uint32 {
	if n, ok := (*known)[string(raw)]; ok || len(raw) == 0 {
		return n
	}
	text := read(raw)
	n := t.Number(text)
	if len(*known) == maxTexts || len(raw) > maxRaw {
		return n
	}
	if *known == nil {
		*known = make(map[string]uint32)
	}
	if text != string(raw) {
		text = string(raw)
	}
	(*known)[text] = n
	return n
}

// Text is the name of a number, "" for 0.
func (t *Texts) Text(number uint32) string {
	if number == 0 {
		return ""
	}
	return t.list[number-1]
}

// known is string(text), the one that is kept if there is one.
func (t *Texts) known(text []byte) string {
	if t != nil {
		if n, ok := t.numbers[string(text)]; ok {
			return t.list[n-1]
		}
	}
	return string(text)
}
