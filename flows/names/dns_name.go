package names

// maxPointers bounds the compression pointers of one name (RFC 1035 §4.1.4); each has to lead back, so that no name
// goes round in circles, and real names need one or two.
const maxPointers = 16

// name reads the name at b[at:], clean (see Clean; a dot within a label is \046). next is where the reading goes
// on; -1 says that there is no name.
func (m *Message) name(b []byte, at int) (name string, next int) {
	var buf [4*maxName + 8]byte // on the stack: only the result is allocated
	out, raw, pointers := buf[:0], 0, 0
	for next = -1; ; {
		if at >= len(b) {
			return "", -1
		}
		n := int(b[at])
		switch {
		case n == 0:
			if next < 0 {
				next = at + 1
			}
			if len(out) == 0 {
				return ".", next
			}
			return m.Texts.known(out[:len(out)-1]), next
		case n >= 0xc0:
			if at+1 >= len(b) {
				return "", -1
			}
			to := (n&0x3f)<<8 | int(b[at+1])
			if pointers++; to >= at || pointers > maxPointers {
				return "", -1
			}
			if next < 0 {
				next = at + 2
			}
			at = to
		case n > 63 || at+1+n > len(b) || raw+n+1 > maxName:
			return "", -1
		default:
			out = appendLabel(out, b[at+1:at+1+n])
			out = append(out, '.')
			raw += n + 1
			at += n + 1
		}
	}
}

func appendLabel(out, label []byte) []byte {
	for _, c := range label {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out = appendEscaped(out, c, c == '.')
	}
	return out
}

// netBIOSName decodes the first label of a NetBIOS name, two letters a byte, without its padding and its last byte,
// the kind of name (RFC 1001 §14.1). A name that is none stays as it is.
func netBIOSName(name string) string {
	if len(name) < 32 || len(name) > 32 && name[32] != '.' {
		return name
	}
	var raw [16]byte
	for i := range raw {
		high, low := name[2*i]-'a', name[2*i+1]-'a'
		if high > 15 || low > 15 {
			return name
		}
		raw[i] = high<<4 | low
	}
	end := 15
	for end > 0 && (raw[end-1] == ' ' || raw[end-1] == 0) {
		end--
	}
	return string(appendLabel(nil, raw[:end])) + name[32:]
}
