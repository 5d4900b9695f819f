package report

// ink colours text with SGR sequences (ECMA-48 §8.3.117), the 16 colours that every terminal theme
// keeps readable. Without color it changes nothing.
type ink struct{ color bool }

func (i ink) paint(sgr, text string) string {
	if !i.color || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (i ink) dim(text string) string { return i.paint("2", text) }

func (i ink) each(texts []string, paint func(string) string) []string {
	painted := make([]string, len(texts))
	for n, text := range texts {
		painted[n] = paint(text)
	}
	return painted
}

// name colours the first cell of a row.
func (i ink) name(kind rowKind, text string) string {
	switch kind {
	case rowApp, rowTotal:
		return i.paint("1", text) // bold
	case rowUnknown, rowReason:
		return i.paint("33", text) // yellow
	case rowOther, rowRest, rowUndecoded:
		return i.dim(text)
	}
	return text
}

func (i ink) note(t tone, text string) string {
	switch t {
	case good:
		return i.paint("32", text) // green
	case warn:
		return i.paint("33", text) // yellow
	case bad:
		return i.paint("31", text) // red
	}
	return text
}
