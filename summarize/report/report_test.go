package report

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var errDiskFull = errors.New("no space left on device")

// fullDisk takes room bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	if n < len(b) {
		return n, errDiskFull
	}
	return n, nil
}

func TestWriteReturnsTheWritersError(t *testing.T) {
	for _, format := range []Format{Table, JSON, CSV, HTML} {
		for _, room := range []int{0, 10} {
			err := Write(&fullDisk{room}, loopbackSummary(), Options{Format: format})
			if !errors.Is(err, errDiskFull) {
				t.Errorf("%v with room for %d bytes: got %v, want %v", format, room, err, errDiskFull)
			}
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, want := range []Format{Table, JSON, CSV, HTML} {
		if got, err := ParseFormat(want.String()); got != want || err != nil {
			t.Errorf("ParseFormat(%q): got %v, %v", want.String(), got, err)
		}
	}
	for _, word := range []string{"", "xml", "JSON", "format 4"} {
		if _, err := ParseFormat(word); err == nil || !strings.Contains(err.Error(), "want table, json, csv or html") {
			t.Errorf("ParseFormat(%q): got %v, want the words there are", word, err)
		}
	}
	if err := Write(io.Discard, loopbackSummary(), Options{Format: HTML + 1}); err == nil {
		t.Error("Write with no such format: got no error")
	}
}
