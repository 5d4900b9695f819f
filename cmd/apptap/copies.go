package main

import (
	"bytes"
	"io"
	"os"

	"apptap/internal/session"
)

// copies are the files seen so far. The zero value is ready to use.
type copies struct{ seen []seenFile }

type seenFile struct {
	name   string
	id     session.Identity
	length int64 // of what is no session, bytes
}

// of takes in a file and names the earlier one whose packets it has, "" for none: of a session what it says of itself tells, of another capture its
// length and its ends.
func (c *copies) of(name string, id session.Identity) (earlier string) {
	if id.Empty {
		return ""
	}
	file := seenFile{name: name, id: id}
	if !id.Session {
		info, err := os.Stat(name)
		if err != nil {
			return "" // told when it is read
		}
		file.length = info.Size()
	}
	for _, e := range c.seen {
		if id.Copies(e.id) || !id.Session && !e.id.Session && file.length == e.length && sameEnds(name, e.name, e.length) {
			return e.name
		}
	}
	c.seen = append(c.seen, file)
	return ""
}

// comparedBytes at either end are compared: times of packets are among them, so that no two captures have the same.
const comparedBytes = 64 << 10

// sameEnds says whether two files of a length begin and end alike.
func sameEnds(a, b string, length int64) bool {
	first, err := ends(a, length)
	if err != nil {
		return false
	}
	second, err := ends(b, length)
	return err == nil && bytes.Equal(first, second)
}

// ends are the first and last bytes of a file.
func ends(name string, length int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := min(length, comparedBytes)
	head, tail := io.NewSectionReader(f, 0, n), io.NewSectionReader(f, length-n, n)
	return io.ReadAll(io.MultiReader(head, tail))
}
