package summarize

import (
	"apptap/flows"
	"apptap/pidmap"
)

// A run that only counts captures nothing: its flows are made of what the kernel counted of the packets of sockets, one flow a
// socket. Packets that no socket sends or receives (ICMP, ARP, what is forwarded, RST and TIME_WAIT) are in none.

// Counted are flows made of sockets' counters.
type Counted struct {
	Flows []flows.Flow
	// Packets and Bytes of them by interface, as Input.Interfaces has them; frame bytes.
	Packets, Bytes []uint64
}

// Baseline is what open sockets had counted when a run that only counts began.
type Baseline struct {
	Counted map[uint64]*pidmap.Datagrams // by cookie
	// Until is when the last of them was asked: one that ended before without a baseline is no part of the run. Nanoseconds since
	// 1970 UTC.
	Until int64
}

// during is what of d, counted of a socket that was made at since (0 = not known) and read at until, falls into w; nil for none.
func (b *Baseline) during(w Window, cookie uint64, since, until int64, d *pidmap.Datagrams) *pidmap.Datagrams {
	before := b.Counted[cookie]
	switch {
	case since >= w.End, before == nil && since < w.Start && until <= b.Until:
		return nil
	case before != nil:
		return d.Sub(before)
	}
	return d
}

// CountedOf makes flows of what the sockets of in, on its interfaces, counted after base and up to the end of the window. A TCP flow has its handshake; frame bytes are IP bytes and a link
// header for each packet, super-frames as one. A UDP socket that had several peers is a flow to the unspecified address. Over
// loopback, where both sides have a socket, each is counted with what it sent.
func CountedOf(in *Input, base *Baseline, local flows.Local) Counted {
	c := Counted{Packets: make([]uint64, len(in.Interfaces)), Bytes: make([]uint64, len(in.Interfaces))}
	lives := livesOf(untilCounted(in.Sockets))
	for _, l := range lives {
		if l.packets == nil || l.packets.Odd || l.last.Foreign || wiped(l.key) {
			continue
		}
		packets := base.during(in.Window, l.last.Cookie, l.since, l.last.Time, l.packets)
		if packets == nil {
			continue
		}
		l.hasStart = l.hasStart && l.since < in.Window.Start // else all of it was in the window
		f := flows.Flow{Key: l.key, First: l.since, Last: l.last.Time, Initiator: flows.InitiatorLocal}
		if l.accepted {
			f.Initiator = flows.InitiatorRemote
		}
		counted := l.during(&f)
		f.TxStream, f.RxStream = counted.BytesSent-min(counted.BytesSent, counted.BytesRetrans), counted.BytesReceived
		if l.last.Moment == AtClose {
			f.End = flows.EndFIN
		}
		c.add(in, local, &f, packets)
	}
	open := map[uint64]bool{}
	for i := range in.Datagrams {
		open[in.Datagrams[i].Cookie] = open[in.Datagrams[i].Cookie] || in.Datagrams[i].Open
	}
	for i := range in.Datagrams {
		d := &in.Datagrams[i]
		if d.Foreign || d.Counted == nil || !d.Open && open[d.Cookie] { // it ended when the run was over
			continue
		}
		counted := base.during(in.Window, d.Cookie, d.Since, d.Until, d.Counted)
		if counted == nil {
			continue
		}
		f := flows.Flow{Key: d.Key, First: d.Since, Last: d.Until}
		if d.Key.Remote.Port == 0 && d.Peer.Remote.Port != 0 {
			f.Key = d.Peer
		}
		c.add(in, local, &f, counted)
	}
	return c
}

// untilCounted leaves out what was read of sockets after their packets had been counted at the end of the run: the last that is told
// of one that ended then stands in for a reading at the end where there is none.
func untilCounted(readings []SocketCounters) []SocketCounters {
	counted, read := map[uint64]bool{}, map[uint64]bool{}
	for i := range readings {
		switch readings[i].Moment {
		case AtCount:
			counted[readings[i].Cookie] = true
		case AtEnd:
			read[readings[i].Cookie] = true
		}
	}
	kept := make([]SocketCounters, 0, len(readings))
	for _, c := range readings {
		if c.Moment == AtClose && counted[c.Cookie] {
			if read[c.Cookie] {
				continue
			}
			c.Moment, c.Packets = AtEnd, nil
		}
		kept = append(kept, c)
	}
	return kept
}

// add completes a flow by what its socket counted on the interfaces of in, if it counted anything there.
func (c *Counted) add(in *Input, local flows.Local, f *flows.Flow, d *pidmap.Datagrams) {
	f.First = max(f.First, in.Window.Start)
	f.Last = max(f.First, min(f.Last, in.Window.End))
	f.SYNRTT, f.ACKRTT, f.Connect, f.Interface = flows.NoRTT, flows.NoRTT, flows.NoRTT, -1
	f.Locality = flows.LocalOne
	if f.Key.Remote.Port != 0 && local.Contains(f.Key.RemoteAddr().Addr()) {
		f.Locality = flows.LocalBoth
	}
	for _, i := range d.Each() {
		at := in.interfaceOf(i.Name)
		if at < 0 {
			continue
		}
		if f.Locality == flows.LocalBoth {
			i.RxPackets, i.RxIP, i.Rx = 0, 0, 0
		}
		header := in.Interfaces[at].LinkHeader
		n := flows.Counts{
			TxPackets: i.TxPackets, TxBytes: i.TxIP + header*i.TxPackets, TxPayload: i.Tx,
			RxPackets: i.RxPackets, RxBytes: i.RxIP + header*i.RxPackets, RxPayload: i.Rx,
		}
		if n.Packets() == 0 {
			continue
		}
		if f.Interface < 0 {
			f.Interface = at
		}
		f.Counts = f.Counts.Add(n)
		f.TxIPBytes, f.RxIPBytes = f.TxIPBytes+i.TxIP, f.RxIPBytes+i.RxIP
		c.Packets[at], c.Bytes[at] = c.Packets[at]+n.Packets(), c.Bytes[at]+n.Bytes()
	}
	if f.Interface < 0 {
		return
	}
	if f.Locality == flows.LocalBoth {
		f.RxStream = 0
		f.Locality = flows.LocalOne // its other side has a flow of its own
	} else {
		f.RxPayload += d.Group
	}
	c.Flows = append(c.Flows, *f)
}

// interfaceOf is the index of the interface of a name, that of all together where there is one, -1 for none.
func (in *Input) interfaceOf(name string) int {
	for i := range in.Interfaces {
		if n := in.Interfaces[i].Name; n == name && n != "" || n == "any" {
			return i
		}
	}
	return -1
}

// Take puts counted flows, and what others came to before, into in as if they had been captured.
func (in *Input) Take(c Counted, packets, bytes []uint64) {
	in.Flows, in.CountOnly = c.Flows, true
	in.Sockets, in.Datagrams, in.DatagramsWhole = nil, nil, false
	in.SocketsUnavailable = OnlyCounted
	for i := range in.Interfaces {
		in.Interfaces[i].CapturedPackets, in.Interfaces[i].CapturedBytes = c.Packets[i], c.Bytes[i]
		if i < len(packets) {
			in.Interfaces[i].CapturedPackets += packets[i]
			in.Interfaces[i].CapturedBytes += bytes[i]
		}
	}
}

// KeptNothing is what a Source keeps that only counts.
const KeptNothing = "nothing"

// CountedOnly says that no packet was captured: every flow is what the kernel counted of a socket.
func (s *Source) CountedOnly() bool { return s.Kept == KeptNothing }

// OtherHost is why no flow is compared whose host is said to be another one than that of the counters.
const OtherHost = "--local says other addresses than those of the host whose kernel counted"

// OnlyCounted is why no flow of a run without a capture was compared.
const OnlyCounted = "nothing was captured: the figures are the kernel's own"
