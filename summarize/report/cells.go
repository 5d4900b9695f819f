package report

import (
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

const ellipsis = "…"

// cells is how many columns of a terminal text takes, measured as tablewriter measures it, whatever the
// locale says of ambiguous characters.
func cells(text string) int {
	return twwidth.WidthWithOptions(text, twwidth.Options{})
}

// runeCells is the room that cutting allows a rune: never 0, so that a pile of combining marks is cut as
// any other long name is.
func runeCells(r rune) int {
	if r < 0x7f {
		return 1 // most text: the look-up of a width costs a microsecond
	}
	return max(1, cells(string(r)))
}

// roomOf is the room of text by runeCells. It is at least cells(text).
func roomOf(text string) int {
	n := 0
	for _, r := range text {
		n += runeCells(r)
	}
	return n
}

// cut shortens text to at most width cells, taking out the middle: names differ at both ends
// (host.REGION.example.com, /opt/VENDOR/bin/tool).
func cut(text string, width int) string {
	if roomOf(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	runes := []rune(text)
	head, tail := 0, len(runes)
	for room := width - 1; head < tail; {
		next := runes[head]
		fromHead := head <= len(runes)-tail // by turns, the head first
		if !fromHead {
			next = runes[tail-1]
		}
		if room -= runeCells(next); room < 0 {
			break
		}
		if fromHead {
			head++
		} else {
			tail--
		}
	}
	return string(runes[:head]) + ellipsis + string(runes[tail:])
}

// wrap breaks text at spaces into lines of at most width cells; lines after the first start with indent. A word
// longer than a line is cut, but not a command: that stands whole on one line, however wide, so that it can be copied.
func wrap(text string, width int, indent string) []string {
	var lines []string
	line, used := "", 0
	for _, word := range phrases(text) {
		most := width - cells(indent)
		if strings.HasPrefix(word, command) {
			most = max(most, maxCommand)
		}
		word = cut(word, most)
		room := roomOf(word)
		switch {
		case line == "":
			line, used = word, room
		case used+1+room <= width:
			line, used = line+" "+word, used+1+room
		default:
			lines = append(lines, line)
			line, used = indent+word, cells(indent)+room
		}
	}
	return append(lines, line)
}

// command is what commands that a sentence tells people to type begin with.
const command = "sudo "

// maxCommand is more cells than any of these takes, with a path of ordinary length; a file may say anything.
const maxCommand = 1024

// phrases are the words of text, a command as one: it ends with the text or at a word that a punctuation mark follows.
func phrases(text string) (list []string) {
	within := false
	for _, word := range strings.Fields(text) {
		if within {
			list[len(list)-1] += " " + word
		} else {
			list = append(list, word)
			within = word == strings.TrimSpace(command)
		}
		within = within && !strings.ContainsAny(word[len(word)-1:], ",;.)")
	}
	return list
}
