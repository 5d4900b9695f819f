package bundle

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
)

// errForeign says that a file is no Info.plist of this century.
var errForeign = errors.New("neither an XML nor a binary property list")

// topTexts returns the texts of a property list whose root is a dictionary. Only that level is read, in one pass, without
// recursion.
//
// This is no work for howett.net/plist 1.0.1, though that is the library for it: any program may have such a file, and apptap runs as
// root. Of a string in a binary list it adds up where it ends in 64 bits that overflow (bplist_parser.go, parseASCIIStringAtOffset), and
// makes the string by unsafe with whatever length it has (zerocopy.go). A file of 77 bytes comes back as a string of -42 bytes and no
// error (TestOverflowingString), and whoever uses it ends in a fatal error that no recover catches. Tests hold this reader against
// the library on lists that it wrote itself.
func topTexts(plist []byte) (map[string]string, error) {
	switch {
	case bytes.HasPrefix(plist, []byte("bplist00")):
		return binaryTexts(plist)
	case bytes.HasPrefix(bytes.TrimLeft(plist, "\ufeff \t\r\n"), []byte("<")):
		return xmlTexts(plist)
	}
	return nil, errForeign
}

// xmlTexts reads the pairs of key and string in <plist><dict>.
func xmlTexts(plist []byte) (map[string]string, error) {
	const inDict = 3 // plist, dict, and the element itself
	texts := map[string]string{}
	var key string
	var text []byte
	depth := 0
	for d := xml.NewDecoder(bytes.NewReader(plist)); ; {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return texts, nil
		} else if err != nil {
			return nil, fmt.Errorf("read XML: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			text = text[:0]
		case xml.CharData:
			text = append(text, token...)
		case xml.EndElement:
			switch {
			case depth != inDict:
			case token.Name.Local == "key":
				key = string(text)
			case token.Name.Local == "string":
				texts[key] = string(text)
			}
			depth--
		}
	}
}

// binaryList is a property list in Apple's binary format (CFBinaryPList.c of CoreFoundation): objects, a table of their
// offsets, and a trailer of 32 bytes.
type binaryList struct {
	b                   []byte
	offsetSize, refSize int
	count, table        uint64
}

const binaryTrailer = 32

func binaryTexts(plist []byte) (map[string]string, error) {
	damaged := errors.New("damaged binary property list")
	if len(plist) < 8+binaryTrailer {
		return nil, damaged
	}
	trailer := plist[len(plist)-binaryTrailer:]
	l := binaryList{
		b: plist[:len(plist)-binaryTrailer], offsetSize: int(trailer[6]), refSize: int(trailer[7]),
		count: binary.BigEndian.Uint64(trailer[8:]), table: binary.BigEndian.Uint64(trailer[24:]),
	}
	keys, values, ok := l.dict(binary.BigEndian.Uint64(trailer[16:]))
	if !ok {
		return nil, damaged
	}
	texts := map[string]string{}
	for i := range keys {
		key, okKey := l.text(keys[i])
		value, okValue := l.text(values[i])
		if okKey && okValue {
			texts[key] = value
		}
	}
	return texts, nil
}

// object finds an object by number: the kind in its first byte, how many elements it says it has, and what follows.
func (l *binaryList) object(number uint64) (kind byte, n uint64, rest []byte, ok bool) {
	size := uint64(len(l.b))
	if number >= l.count || l.table >= size || number >= (size-l.table)/uint64(max(l.offsetSize, 1)) {
		return 0, 0, nil, false
	}
	at, ok := unsigned(l.b[l.table+number*uint64(l.offsetSize):], l.offsetSize)
	if !ok || at >= size {
		return 0, 0, nil, false
	}
	kind, n, rest = l.b[at]>>4, uint64(l.b[at]&0xf), l.b[at+1:]
	if n < 0xf {
		return kind, n, rest, true
	}
	// Too many for four bits: an integer object comes first.
	if len(rest) < 1 || rest[0]>>4 != 1 || rest[0]&0xf > 3 {
		return 0, 0, nil, false
	}
	width := 1 << (rest[0] & 0xf)
	n, ok = unsigned(rest[1:], width)
	return kind, n, rest[min(1+width, len(rest)):], ok
}

// dict returns the object numbers of a dictionary's keys and values.
func (l *binaryList) dict(number uint64) (keys, values []uint64, ok bool) {
	const kindDict = 0xd
	kind, n, rest, ok := l.object(number)
	if !ok || kind != kindDict || l.refSize < 1 || n > uint64(len(rest)/(2*l.refSize)) {
		return nil, nil, false
	}
	refs := make([]uint64, 0, 2*n)
	for range 2 * n {
		ref, ok := unsigned(rest, l.refSize)
		if !ok {
			return nil, nil, false
		}
		refs, rest = append(refs, ref), rest[l.refSize:]
	}
	return refs[:n], refs[n:], true
}

// text reads a string object.
func (l *binaryList) text(number uint64) (string, bool) {
	const kindASCII, kindUTF16 = 5, 6
	kind, n, rest, ok := l.object(number)
	switch {
	case !ok || n > maxText:
		return "", false
	case kind == kindASCII && n <= uint64(len(rest)):
		return string(rest[:n]), true
	case kind == kindUTF16 && 2*n <= uint64(len(rest)):
		units := make([]uint16, n)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(rest[2*i:])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// unsigned reads a big-endian number of 1 to 8 bytes.
func unsigned(b []byte, size int) (v uint64, ok bool) {
	if size < 1 || size > 8 || len(b) < size {
		return 0, false
	}
	for _, c := range b[:size] {
		v = v<<8 | uint64(c)
	}
	return v, true
}
