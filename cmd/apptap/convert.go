package main

import (
	"context"
	"fmt"

	"apptap/capture"
	"apptap/internal/pipeline"
	"apptap/summarize"
)

// everything says that no flows are selected.
func (f *exportFlags) everything() bool { return len(f.apps)+len(f.dsts) == 0 }

// convert writes all that files have, in one pass: with other packets the same session.
func convert(ctx context.Context, s streams, f *exportFlags, args []string) error {
	replay := f.replayFlags()
	var r *export
	var w *converter
	written, err := replay.replay(ctx, s, args, "", func(c *pipeline.Config) (err error) {
		if r, err = newExport(ctx, s, f, c, nil); err != nil {
			return err
		}
		w = &converter{recording: r.to, out: r, source: c.Sources[0], session: c.Session}
		c.Record, c.Journal = w, w
		return nil
	})
	if err != nil {
		return err
	}
	warn(s, written.Warnings)
	written.Interfaces = written.Interfaces[:min(len(written.Interfaces), w.interfaces)] // not all are described after an error
	if err := r.close(written); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	fmt.Fprintf(s.err, "apptap: %s written to %s\n", plural(w.packets, "packet"), printable(f.out))
	return nil
}

// converter writes what it is given as one session. A capture that is none stays one: its packets say whose they are as they did.
type converter struct {
	recording
	out        *export
	source     capture.Source
	session    pipeline.Session
	interfaces int // described
	packets    int
}

// WritePacket implements pipeline.Recorder. The goroutine that reads the source calls it, so what stands before a packet has been read.
func (c *converter) WritePacket(p *capture.Packet) error {
	if c.packets == 0 {
		if err := c.begin(); err != nil {
			return err
		}
	}
	c.packets++
	if err := c.describe(p.Interface + 1); err != nil {
		return err
	}
	return c.recording.WritePacket(p)
}

// begin writes the circumstances as far as they stand before the first packet. The interfaces come first: Wireshark's editcap rewrites no file
// in which another block stands before them.
func (c *converter) begin() error {
	if err := c.describe(len(c.source.Interfaces())); err != nil {
		return err
	}
	var in summarize.Input
	c.session.Complete(&in)
	if !in.Live {
		return nil
	}
	in.Source.Local, in.Source.LocalFrom = c.session.Local()
	return c.recording.WriteState(&in, false)
}

// describe describes the interfaces up to a number of them.
func (c *converter) describe(number int) error {
	list := c.source.Interfaces()
	for ; c.interfaces < min(number, len(list)); c.interfaces++ {
		described := list[c.interfaces]
		if c.out.mapper != nil {
			described = c.out.mapper.Interface(described)
		}
		if _, err := c.out.writer.AddInterface(described); err != nil {
			return err
		}
	}
	return nil
}

// writeLacks has a capture that is no session stay as incomplete as it was.
func writeLacks(to recording, in *summarize.Input) error {
	if !in.Incomplete {
		return nil
	}
	return to.WriteLacks(in.Degraded)
}

// WriteCounters implements pipeline.Journal: a run over files reads none. Those that files have come with the last state.
func (c *converter) WriteCounters([]summarize.SocketCounters) error { return nil }

// WriteState implements pipeline.Journal.
func (c *converter) WriteState(in *summarize.Input, final bool) error {
	if !final {
		return nil
	}
	if err := c.describe(len(c.source.Interfaces())); err != nil {
		return err
	}
	if !in.Live {
		return writeLacks(c.recording, in)
	}
	var told summarize.Input
	c.session.Complete(&told)
	if err := c.recording.WriteCounters(told.Sockets); err != nil {
		return err
	}
	return c.recording.WriteState(in, true)
}
