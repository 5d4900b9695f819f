package session

import (
	"errors"
	"fmt"
	"io"

	"apptap/capture"
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
	listen     func(capture.Source)
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
	c.listen(source)
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
	Session string // the same for copies of one session, however compressed, and for nothing else; "" for what is none
	Begun   string // the same for all copies and pieces of it, anonymized ones too
	Unnamed bool   // anonymized: of which piece of the session it is one is not told
	Empty   bool   // it has no packet
}

// Head identifies a file. It reads up to the first packet.
func Head(source capture.Source) (id Identity) {
	ng, ok := source.(*capture.NgReader)
	var head records
	if ok {
		ng.OnBlock(BlockType, head.take)
	}
	var p capture.Packet
	id.Empty = source.Next(&p) != nil // its errors are told when the file is read
	if head.state == nil {
		return id
	}
	id.Session, id.Begun, id.Unnamed = head.state.identity(), head.state.begin(), head.state.Filter == anonymizedFilter
	if part := head.state.Part; part != nil {
		id.Run, id.Part = string(part.Run), part.Part
	}
	return id
}

// identity is what no other session has: the moment, in nanoseconds, when the capture began. Pieces of one (export --app) are told apart by
// their filter, and those of a rotated run by their number. What has no start has no identity.
func (r *stateRecord) identity() string {
	if r.Start == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s", r.begin(), r.Filter)
}

// begin is what copies and pieces of a session have alike, and those of a rotated run not.
func (r *stateRecord) begin() string {
	id := fmt.Sprint(r.Start)
	if r.Part != nil {
		id += fmt.Sprintf(" %s %d", r.Part.Run, r.Part.Part)
	}
	return id
}

// anonymizedFilter stands in place of the filter of an anonymized session: see internal/anonymize.
const anonymizedFilter = "anonymized"

// Copy names a file that has the same session as an earlier one, "" for none, as far as they have been read.
func (r *Replay) Copy() (name, earlier string) {
	known := map[string]string{}
	for _, s := range r.sources {
		s.mu.Lock()
		states := s.records.states()
		s.mu.Unlock()
		for _, state := range states {
			id := state.identity()
			if first, ok := known[id]; ok && id != "" && first != s.name {
				return s.name, first
			}
			known[id] = s.name
		}
	}
	return "", ""
}
