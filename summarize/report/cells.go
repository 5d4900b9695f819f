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
// longer than a line is cut.
func wrap(text string, width int, indent string) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		word = cut(word, width-cells(indent))
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
