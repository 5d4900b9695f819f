package anonymize

import (
	"net/netip"
	"slices"

	"apptap/capture"
	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// Recording is what packets, and what else a run learns, are written to.
type Recording interface {
	WritePacket(*capture.Packet) error
	Flush() error
	WriteEvents([]pidmap.Event) error
	WriteCounters([]summarize.SocketCounters) error
	WriteState(in *summarize.Input, final bool) error
	WriteLacks(degraded []string) error
}

// Recorder writes to a Recording what it is given, anonymized. It is not safe for concurrent use.
type Recorder struct {
	to      Recording
	frames  frames
	written capture.Packet
	owners  map[*capture.Process]*capture.Process
}

// NewRecorder makes one whose replacements are m's.
func NewRecorder(m *Mapper, to Recording) *Recorder {
	return &Recorder{to: to, frames: frames{Mapper: m}}
}

// WritePacket writes a packet without payload.
func (r *Recorder) WritePacket(p *capture.Packet) error {
	r.written = *p
	r.written.Data = r.frames.rewrite(p)
	r.written.Owner = r.owner(p.Owner)
	return r.to.WritePacket(&r.written)
}

// Flush flushes.
func (r *Recorder) Flush() error { return r.to.Flush() }

// WriteEvents writes events about the replaced sockets.
func (r *Recorder) WriteEvents(events []pidmap.Event) error {
	m := r.frames.Mapper
	out := make([]pidmap.Event, len(events))
	for i, e := range events {
		e.Socket.Key = m.Key(e.Socket.Key)
		e.Process, e.Holders = m.process(&e.Process), m.processes(e.Holders)
		e.Datagrams, e.Totals.Interface = m.datagrams(e.Datagrams), m.Text(e.Totals.Interface)
		if t := e.Translation; t != nil {
			e.Translation = &pidmap.Translation{Original: m.Key(t.Original), Reply: m.Key(t.Reply)}
		}
		out[i] = e
	}
	return r.to.WriteEvents(out)
}

// WriteCounters writes the counters of the replaced sockets.
func (r *Recorder) WriteCounters(counters []summarize.SocketCounters) error {
	out := slices.Clone(counters)
	for i := range out {
		out[i].Key = r.frames.Key(out[i].Key)
	}
	return r.to.WriteCounters(out)
}

// WriteState writes the circumstances. Of a filter it stays that there was one.
func (r *Recorder) WriteState(in *summarize.Input, final bool) error {
	m, out := r.frames.Mapper, *in
	out.Source.Local = make([]netip.Prefix, len(in.Source.Local))
	for i, p := range in.Source.Local {
		out.Source.Local[i] = m.Prefix(p)
	}
	out.Filter, out.Source.Filter = FilterOf(in.Filter), FilterOf(in.Source.Filter)
	out.Interfaces = slices.Clone(in.Interfaces)
	for i := range out.Interfaces {
		o := &out.Interfaces[i]
		o.Name, o.Filter = m.Text(o.Name), FilterOf(o.Filter)
		if o.Readings != nil {
			readings := *o.Readings
			readings.Unavailable = m.Text(readings.Unavailable)
			o.Readings = &readings
		}
	}
	out.Degraded, out.SocketsUnavailable = m.texts(in.Degraded), m.Text(in.SocketsUnavailable)
	return r.to.WriteState(&out, final)
}

// WriteLacks writes what the capture lacked, addresses in it replaced.
func (r *Recorder) WriteLacks(degraded []string) error {
	return r.to.WriteLacks(r.frames.Mapper.texts(degraded))
}

// FilterOf is what stays of a filter expression.
func FilterOf(filter string) string {
	if filter == "" {
		return ""
	}
	return summarize.FilterAnonymized
}

// Interface is an interface with its addresses replaced.
func (m *Mapper) Interface(i capture.Interface) capture.Interface {
	i.Name, i.Description = m.Text(i.Name), ""
	addrs := i.Addrs
	i.Addrs = nil
	for _, p := range addrs {
		i.Addrs = append(i.Addrs, m.Prefix(p))
	}
	return i
}

// Key is a socket's 5-tuple with its addresses replaced.
func (m *Mapper) Key(k flows.Key) flows.Key {
	k.Local.Addr, k.Remote.Addr = m.mapped(k.Local.Addr), m.mapped(k.Remote.Addr)
	return k
}

func (m *Mapper) mapped(a [16]byte) [16]byte { return m.Addr(netip.AddrFrom16(a)).As16() }

func (m *Mapper) datagrams(d *pidmap.Datagrams) *pidmap.Datagrams {
	if d == nil {
		return nil
	}
	out := *d
	for i := range out.Interfaces {
		out.Interfaces[i].Name = m.Text(out.Interfaces[i].Name)
	}
	out.Others.Name = m.Text(out.Others.Name)
	return &out
}
