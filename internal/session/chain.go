package session

import (
	"errors"
	"fmt"
	"io"

	"apptap/capture"
	"apptap/summarize"
)

// Part is one of the files of a run. Close comes after the Source's.
type Part struct {
	Name  string
	Open  func() (capture.Source, error)
	Close func() error
}

// NewChain reads the files of one run one after the other, as the one file that the run would have written otherwise. Only one is open at
// a time. Its error is that of opening the first; a later one that cannot be opened or read is told of at the end.
func NewChain(parts []Part) (*Source, error) {
	c := &chain{parts: parts}
	s := &Source{Source: c, name: parts[0].Name}
	c.listen, c.cut = s.listen, s.cut
	return s, c.open()
}

// chain is the packets of several files that describe the same interfaces.
type chain struct {
	parts      []Part // the first is open
	current    capture.Source
	listen     func(file capture.Source, name string)
	cut        func() // a file was not read to its end
	interfaces []capture.Interface
	errs       []error
}

func (c *chain) open() error {
	source, err := c.parts[0].Open()
	if err != nil {
		return err
	}
	c.current = source
	c.listen(source, c.parts[0].Name)
	c.learn()
	return nil
}

// Next implements capture.Source.
func (c *chain) Next(p *capture.Packet) error {
	for len(c.parts) > 0 {
		if c.current == nil {
			if err := c.open(); err != nil {
				c.errs = append(c.errs, err)
				c.cut()
				c.parts = c.parts[1:]
				continue
			}
		}
		err := c.current.Next(p)
		if err == nil || errors.Is(err, capture.ErrTimeout) {
			return err
		}
		if !errors.Is(err, io.EOF) {
			c.errs = append(c.errs, err)
			c.cut()
		}
		c.learn()
		if err := c.Close(); err != nil {
			c.errs = append(c.errs, fmt.Errorf("close %s: %w", c.parts[0].Name, err))
		}
		c.parts, c.current = c.parts[1:], nil
	}
	if len(c.errs) > 0 {
		return errors.Join(c.errs...)
	}
	return io.EOF
}

// learn keeps what the open file says of interfaces: the counts stand in one of the files.
func (c *chain) learn() {
	for i, described := range c.current.Interfaces() {
		switch {
		case i >= len(c.interfaces):
			c.interfaces = append(c.interfaces, described)
		case described.Stats.Known:
			c.interfaces[i].Stats = described.Stats
		}
	}
}

// Interfaces implements capture.Source.
func (c *chain) Interfaces() []capture.Interface {
	if c.current != nil {
		c.learn()
	}
	return c.interfaces
}

// Stats implements capture.Source.
func (c *chain) Stats() (sum capture.Stats) {
	for _, i := range c.Interfaces() {
		sum = sum.Add(i.Stats)
	}
	return sum
}

// Close implements capture.Source.
func (c *chain) Close() error {
	if c.current == nil {
		return nil
	}
	return errors.Join(c.current.Close(), c.parts[0].Close())
}

// Identity tells a file from others, as far as its first packet.
type Identity struct {
	Run     string // of which it is a part, "" for a file that is none
	Part    int    // from 0
	Session bool   // it says of what session it is
	Empty   bool   // it has no packet

	start  int64  // when the capture began, which no other session has
	filter string // tells pieces of a session apart (export --app)
}

// Copies says that two files have the same session, however compressed, and the same piece of it. Of an anonymized one is not told which piece it
// is: it may be any.
func (i Identity) Copies(o Identity) bool {
	same := i.Session && o.Session && i.start == o.start && i.Run == o.Run && i.Part == o.Part
	return same && (i.filter == o.filter || i.filter == summarize.FilterAnonymized || o.filter == summarize.FilterAnonymized)
}

// Head identifies a file. It reads up to the first packet.
func Head(source capture.Source) (id Identity) {
	ng, ok := source.(*capture.NgReader)
	var head records
	if ok {
		ng.OnBlock(BlockType, head.take)
	}
	var p capture.Packet
	empty := source.Next(&p) != nil // its errors are told when the file is read
	if head.state != nil {
		id = head.state.identity()
	}
	id.Empty = empty
	return id
}

// identity is what tells it from other sessions. What has no start is none's copy.
func (r *stateRecord) identity() Identity {
	id := Identity{Session: r.Start != 0, start: r.Start, filter: string(r.Filter)}
	if r.Part != nil {
		id.Run, id.Part = string(r.Part.Run), r.Part.Part
	}
	return id
}

// Copy names a file that has the same session as an earlier one, or a part of the same run, "" for none, as far as they have been read.
func (r *Replay) Copy() (name, earlier string) {
	type named struct {
		id   Identity
		name string
	}
	var known []named
	for _, s := range r.sources {
		s.mu.Lock()
		states, twice := s.records.states(), s.records.twice
		s.mu.Unlock()
		if twice != [2]int{} {
			return s.files[twice[1]-1], s.files[twice[0]-1]
		}
		for _, state := range states {
			id := state.identity()
			for _, k := range known {
				if k.name != s.name && id.Copies(k.id) {
					return s.name, k.name
				}
			}
			known = append(known, named{id, s.name})
		}
	}
	return "", ""
}
