package main

import (
	"bytes"
	"cmp"
	"io"
	"os"

	"apptap/internal/session"
)

// copies are the files seen so far, by what a copy has as well: of a session what it says of itself, of another capture its length.
// The zero value is ready to use.
type copies struct {
	sessions map[string]string  // name by session.Identity.Session
	begun    map[string]string  // name by session.Identity.Begun
	unnamed  map[string]string  // the same of those that are anonymized
	lengths  map[int64][]string // names by bytes
}

// of takes in a file and names the earlier one whose packets it has, "" for none.
func (c *copies) of(name string, id session.Identity) (earlier string) {
	if id.Empty {
		return ""
	}
	if c.sessions == nil {
		c.sessions, c.lengths = map[string]string{}, map[int64][]string{}
		c.begun, c.unnamed = map[string]string{}, map[string]string{}
	}
	if id.Session != "" {
		earlier = cmp.Or(c.sessions[id.Session], c.unnamed[id.Begun])
		c.sessions[id.Session] = name
		if id.Unnamed {
			earlier = cmp.Or(earlier, c.begun[id.Begun])
			c.unnamed[id.Begun] = name
		}
		c.begun[id.Begun] = name
		return earlier
	}
	info, err := os.Stat(name)
	if err != nil {
		return "" // told when it is read
	}
	for _, other := range c.lengths[info.Size()] {
		if sameEnds(name, other, info.Size()) {
			return other
		}
	}
	c.lengths[info.Size()] = append(c.lengths[info.Size()], name)
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
