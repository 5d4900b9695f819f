package report

import (
	"bytes"
	"fmt"
	"io"
)

// plainWriter writes JSON text without the control characters that JSON lets stand: DEL, and U+0080 to U+009F, which
// terminals obey as they do escapes (ECMA-48 §5.3). They can only be in strings, where \u00XX means the same. A
// character must not be cut between two writes.
type plainWriter struct{ out io.Writer }

// Write implements io.Writer.
func (w plainWriter) Write(b []byte) (int, error) {
	if bytes.IndexByte(b, del) < 0 && bytes.IndexByte(b, leadC1) < 0 {
		return w.out.Write(b)
	}
	var escaped []byte
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == del:
			escaped = append(escaped, `\u007f`...)
		case b[i] == leadC1 && i+1 < len(b) && b[i+1] < 0xa0:
			i++
			escaped = fmt.Appendf(escaped, `\u%04x`, b[i])
		default:
			escaped = append(escaped, b[i])
		}
	}
	if _, err := w.out.Write(escaped); err != nil {
		return 0, err
	}
	return len(b), nil
}

const (
	del    = 0x7f
	leadC1 = 0xc2 // the first byte of U+0080 to U+00BF in UTF-8; the second is the character's number
)
