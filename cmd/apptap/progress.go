package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"apptap/internal/pipeline"
)

// progressLine returns the view of a run that keeps one line on the terminal up to date, nil where
// stderr is none. done says how much of the input is read, between 0 and 1; nil if that is not known.
func progressLine(stderr io.Writer, done func() float64) func(<-chan pipeline.Progress) {
	if !isTerminal(stderr) {
		return nil
	}
	return func(news <-chan pipeline.Progress) {
		start := time.Now()
		for p := range news {
			width, _ := terminal(stderr)
			line := progressText(p, time.Since(start), done)
			fmt.Fprint(stderr, "\r\x1b[K"+clip(line, width))
		}
		fmt.Fprint(stderr, "\r\x1b[K")
	}
}

// progressText is the line: what was captured so far and, live, the apps that move most.
func progressText(p pipeline.Progress, elapsed time.Duration, done func() float64) string {
	var b strings.Builder
	if done != nil {
		fmt.Fprintf(&b, "%3.0f %%  ", 100*done())
	}
	fmt.Fprintf(&b, "%s  packets %d  %s  flows %d", elapsed.Round(time.Second), p.Packets, siBytes(p.Bytes), p.Flows)
	if p.Summary == nil {
		return b.String()
	}
	for i, app := range p.Summary.Apps {
		if i == 3 {
			break
		}
		fmt.Fprintf(&b, "  %s %s", printable(app.App.Name), siBytes(app.Bytes()))
	}
	return b.String()
}

// siBytes is a byte count in powers of 1000 with one decimal, for a line that nobody adds up.
func siBytes(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}

// printable keeps what a program calls itself from steering the terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, name)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func clip(line string, width int) string {
	if runes := []rune(line); width > 1 && len(runes) >= width {
		return string(runes[:width-1])
	}
	return line
}
