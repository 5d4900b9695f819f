package names

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// Display is a clean name for people: an internationalised name both as it is on the wire and as it reads, because
// either alone can deceive.
func Display(name string) string {
	if read := Reading(name); read != "" {
		return name + " (" + read + ")"
	}
	return name
}

// Reading is how an internationalised clean name reads ("xn--mnchen-3ya.example" -> "münchen.example"), "" for all others and for
// those whose reading could pass for another name: labels that mix scripts (UTS 39 §5.2), that are made of letters which look like
// Latin ones, or have marks, symbols, or letters from right to left, which would reorder what stands beside them.
func Reading(name string) string {
	if !strings.Contains(name, "xn--") {
		return ""
	}
	read, err := idna.Display.ToUnicode(name)
	if err != nil || read == name {
		return ""
	}
	if back, err := idna.Display.ToASCII(read); err != nil || back != name {
		return "" // "xn--" reads as nothing at all
	}
	labels := strings.Split(read, ".")
	foreign := isASCII(labels[len(labels)-1]) // a reader takes such a name for a Latin one
	for _, label := range labels {
		if !plainLabel(label, foreign) {
			return ""
		}
	}
	return read
}

// Wire is a name that a person typed as it is on the wire, in lower case and without a final dot: the reverse of Reading.
func Wire(typed string) string {
	typed = strings.TrimSuffix(strings.ToLower(typed), ".")
	if wire, err := idna.Display.ToASCII(typed); err == nil && !isASCII(typed) {
		return wire
	}
	return typed
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x80 }) < 0
}

// script is a set of letters that belong together.
type script uint8

const (
	noScript script = iota // what all use: digits and the hyphen
	latin
	han
	kana
	bopomofo
	hangul
	otherScript // and those behind it, see scripts
)

// scripts are those that are shown, by their tables: what UAX 31 recommends and is written from left to right.
var scripts = [...]*unicode.RangeTable{
	latin: unicode.Latin, han: unicode.Han, kana: unicode.Katakana, bopomofo: unicode.Bopomofo, hangul: unicode.Hangul,
	otherScript: unicode.Cyrillic, otherScript + 1: unicode.Greek, otherScript + 2: unicode.Armenian, otherScript + 3: unicode.Georgian,
	otherScript + 4: unicode.Devanagari, otherScript + 5: unicode.Bengali, otherScript + 6: unicode.Gurmukhi,
	otherScript + 7: unicode.Gujarati, otherScript + 8: unicode.Oriya, otherScript + 9: unicode.Tamil, otherScript + 10: unicode.Telugu,
	otherScript + 11: unicode.Kannada, otherScript + 12: unicode.Malayalam, otherScript + 13: unicode.Sinhala,
	otherScript + 14: unicode.Thai, otherScript + 15: unicode.Lao, otherScript + 16: unicode.Myanmar, otherScript + 17: unicode.Khmer,
	otherScript + 18: unicode.Ethiopic,
}

// latinLike are letters of other scripts that many fonts draw as Latin ones.
const latinLike = "асԁеһіјӏорԛѕԝхуъьҽпгѵѡ" + "αικνρυωηοτγ" + "ագզէլհյոսւօց" + "იოჿკ"

// plainLabel says that a label reads as what it is. foreign says that it stands below a Latin domain.
func plainLabel(label string, foreign bool) bool {
	var used uint64 // by script
	like, marks, last := foreign, 0, ' '
	for _, r := range label {
		s, ok := scriptOf(r)
		if !ok {
			return false
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		if marks > 2 || marks > 0 && used == 0 {
			return false // a pile, or one that joins what stood before
		}
		if isStroke(r) && last < 0x80 && last != ' ' || isStroke(last) && r < 0x80 {
			return false
		}
		last = r
		if s != noScript {
			used |= 1 << s
			like = like && strings.ContainsRune(latinLike, r)
		}
	}
	return together(used) && (used == 0 || !like)
}

// isStroke finds signs of Chinese and Japanese that pass for punctuation beside Latin letters.
func isStroke(r rune) bool { return strings.ContainsRune("ノソゾンー・丶丿一丨亅〇", r) }

// together says that scripts are written together: one, or Latin and those of one East Asian language (UTS 39 §5.2, highly
// restrictive).
func together(used uint64) bool {
	const japanese, korean, chinese = 1<<latin | 1<<han | 1<<kana, 1<<latin | 1<<han | 1<<hangul, 1<<latin | 1<<han | 1<<bopomofo
	return used&(used-1) == 0 || used&^japanese == 0 || used&^korean == 0 || used&^chinese == 0
}

// scriptOf is the script of a letter or its mark; false for what is neither, and no ASCII letter, digit, hyphen or underscore.
func scriptOf(r rune) (script, bool) {
	switch {
	case r < 0x80:
		if 'a' <= r && r <= 'z' {
			return latin, true
		}
		return noScript, '0' <= r && r <= '9' || r == '-' || r == '_'
	case r == 'ー' || r == '・' || unicode.Is(unicode.Hiragana, r):
		return kana, true
	case !unicode.IsLetter(r) && !unicode.IsMark(r):
		return noScript, false // digits too: Bengali four is an eight to others
	case unicode.Is(unicode.Latin, r):
		return latin, isWrittenLatin(r)
	}
	for s, table := range scripts {
		if table != nil && unicode.Is(table, r) {
			return script(s), true
		}
	}
	return noScript, false
}

// isWrittenLatin leaves the Latin letters of languages: clicks and phonetic signs look like others, or like punctuation.
func isWrittenLatin(r rune) bool {
	return r < 0x180 && r != 'ĸ' || 0x1cd <= r && r < 0x250 || 0x1e00 <= r && r < 0x1f00 || strings.ContainsRune("ơưƒɓɗɛɔŋɣ", r)
}
