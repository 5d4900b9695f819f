package main

import (
	"cmp"
	"context"
	slashpath "path"
	"slices"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/usage"
	"apptap/pidmap"
	"apptap/summarize"
)

// selection is the flows that an export takes. It belongs to one goroutine at a time.
type selection struct {
	uses      []summarize.FlowUse
	spans     map[flows.Key][]span // by either side's key
	ports     map[portOf]bool      // local ends of the flows
	inner     map[flows.Key]bool   // sockets of flows whose addresses are translated
	fragments map[fragment]bool    // of wanted datagrams
	pids      map[pidmap.ProcessKey]bool
	packets   int
}

// span is a time from a flow's first packet to its last, nanoseconds since 1970 UTC.
type span struct{ first, last int64 }

type portOf struct {
	proto flows.Protocol
	port  uint16
}

// fragment is what the pieces of one datagram have in common.
type fragment struct {
	src, dst [16]byte
	proto    flows.Protocol
	id       uint32
}

func fragmentOf(o *flows.Observation) fragment {
	return fragment{o.Src.Addr, o.Dst.Addr, o.Proto, o.FragID}
}

func newSelection(f *exportFlags, all []summarize.FlowUse) *selection {
	s := &selection{
		spans: map[flows.Key][]span{}, ports: map[portOf]bool{}, inner: map[flows.Key]bool{}, fragments: map[fragment]bool{}, pids: map[pidmap.ProcessKey]bool{},
	}
	for i := range all {
		use := &all[i]
		if !f.selects(use) {
			continue
		}
		s.uses = append(s.uses, *use)
		key, at := use.Flow.Key, span{use.Flow.First, use.Flow.Last}
		s.spans[key] = append(s.spans[key], at)
		if back := key.Reverse(); back != key {
			s.spans[back] = append(s.spans[back], at)
		}
		s.ports[portOf{key.Proto, key.Local.Port}] = true
		if use.Flow.Locality == flows.LocalBoth {
			s.ports[portOf{key.Proto, key.Remote.Port}] = true
		}
		s.note(&use.Owner)
		for i := range use.Parts {
			s.note(&use.Parts[i].Owner)
		}
		s.note(&use.Peer)
	}
	return s
}

func (s *selection) note(a *pidmap.Attribution) {
	s.pids[a.Process.Key] = true
	if key := a.Translated; key != (flows.Key{}) {
		s.inner[key], s.ports[portOf{key.Proto, key.Local.Port}] = true, true
	}
	for i := range a.Candidates {
		s.pids[a.Candidates[i].Key] = true
	}
	for i := range a.Shares {
		s.pids[a.Shares[i].Process.Key] = true
	}
}

// selects says whether a flow is asked for.
func (f *exportFlags) selects(use *summarize.FlowUse) bool {
	return (len(f.apps) == 0 || f.ofApp(use)) && (len(f.dsts) == 0 || f.toDst(use))
}

func (f *exportFlags) ofApp(use *summarize.FlowUse) bool {
	names := []string{usage.Unattributed}
	if use.Owner.Known() {
		names = []string{use.Owner.App.Name, use.Owner.App.ID, slashpath.Base(use.Owner.App.ID)}
	}
	for i := range use.Parts {
		if p := &use.Parts[i]; p.Owner.Known() {
			names = append(names, p.Owner.App.Name, p.Owner.App.ID)
		} else {
			names = append(names, usage.Unattributed)
		}
	}
	return anyMatch(f.apps, names)
}

func (f *exportFlags) toDst(use *summarize.FlowUse) bool {
	name, _ := use.Flow.Names.Best()
	return anyMatch(f.dsts, []string{use.Flow.Key.RemoteAddr().Addr().String(), cmp.Or(name, "-")})
}

func anyMatch(patterns, texts []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return usage.Match(pattern, text) })
	})
}

func (s *selection) has(key flows.Key) bool { return len(s.spans[key]) > 0 }

// match says whether a packet is of a selected flow.
func (s *selection) match(p *capture.Packet) bool {
	var o flows.Observation
	flows.Outer.Decode(p, &o)
	return s.wants(&o) && s.count()
}

func (s *selection) count() bool {
	s.packets++
	return true
}

func (s *selection) wants(o *flows.Observation) bool {
	switch {
	case !o.Kind.Decoded():
		return false
	case o.FragLater:
		return s.fragments[fragmentOf(o)]
	}
	for _, at := range s.spans[flows.Key{Local: o.Src, Remote: o.Dst, Proto: o.Proto, IPv6: o.IPv6}] {
		if at.first <= o.Time && o.Time <= at.last {
			return true
		}
	}
	return false
}

// concerns says whether an event is about a socket or a process of the selected flows.
func (s *selection) concerns(e *pidmap.Event) bool {
	switch e.Kind {
	case pidmap.SocketsCurrent, pidmap.EventsLost, pidmap.SocketsCounted:
		return true
	case pidmap.FlowTranslated, pidmap.FlowUntranslated:
		t := e.Translation
		return t != nil && (s.has(t.Original.Reverse()) || s.has(t.Reply.Reverse()))
	case pidmap.ProcessExec, pidmap.ProcessExit:
		return s.pids[e.Process.Key]
	}
	key := e.Socket.Key
	if key.Remote.Port == 0 {
		return s.ports[portOf{key.Proto, key.Local.Port}]
	}
	return s.has(key) || s.inner[key] || e.Socket.Multipath // the packets of which other sockets carry
}

// findFragments reads the files for the first pieces of datagrams, which alone say whose the others are: those may have
// come earlier. The run has said by then what is wrong with the files.
func (s *selection) findFragments(ctx context.Context, std streams, files []string) error {
	in, err := openFiles(ctx, std.in, files)
	if err != nil {
		return err
	}
	defer in.close()
	source := capture.Merge(in.sources)
	var p capture.Packet
	for source.Next(&p) == nil && ctx.Err() == nil {
		var o flows.Observation
		flows.Outer.Decode(&p, &o)
		if o.FragMore && !o.FragLater && s.wants(&o) {
			s.fragments[fragmentOf(&o)] = true
		}
	}
	return nil
}
