package pidmap

import (
	"apptap/pidmap/bpf"
)

// Datagrams are what the kernel counted of the packets of one socket since tracing began, in bytes of payload and in datagrams. What
// was sent and had arrived is what there was at the border between the socket and its interfaces: what a capture sees of it. Of
// a TCP socket it has Interfaces, Others, Odd and Arrived: with its handshake, without the packets of a socket that is closed
// (TIME_WAIT, RST). It is a value; whoever holds it does not change it.
type Datagrams struct {
	// Interfaces are the first that the socket used, by name. A name that is not known, or that of an interface in another
	// network namespace, is "".
	Interfaces [bpf.Interfaces]InterfaceBytes
	Others     InterfaceBytes // all others together
	// Odd says that not all packets could be counted, or that the socket had other peers before: nothing compares with this.
	Odd            bool
	Lost           bool   // the kernel had more to tell and could not: the other fields say nothing
	Group          uint64 // bytes of multicast and broadcast that arrived, in none of the above: each socket that takes part has them
	Arrived, Taken uint64 // datagrams that arrived, and that programs received
	Sent, Received uint64 // bytes by the return values of system calls
	// Dropped are datagrams of Arrived for which the receive buffer had no room. 0 too where that is not told (Linux before 6.10).
	Dropped, DroppedBytes uint64
}

// Each are the counts of every interface, the others' last, in a list of its own.
func (d *Datagrams) Each() []InterfaceBytes { return append(d.Interfaces[:], d.Others) }

// InterfaceBytes is what a socket sent and was sent through one interface.
type InterfaceBytes struct {
	Name   string
	Tx, Rx uint64 // payload, sent again included
	// Packets as a capture on this host has them, but for fragments, which count together. IP is their bytes from the IP header on.
	TxPackets, RxPackets, TxIP, RxIP uint64
}

// Tx is what the socket sent in all.
func (d *Datagrams) Tx() uint64 {
	tx := d.Others.Tx
	for _, i := range d.Interfaces {
		tx += i.Tx
	}
	return tx
}

// Rx is what the socket was sent in all, but for Group.
func (d *Datagrams) Rx() uint64 {
	rx := d.Others.Rx
	for _, i := range d.Interfaces {
		rx += i.Rx
	}
	return rx
}

// Sub is what was counted after before was, of the same socket.
func (d *Datagrams) Sub(before *Datagrams) *Datagrams {
	after := *d
	for i := range after.Interfaces {
		after.Interfaces[i] = d.Interfaces[i].sub(before.Interfaces[i])
	}
	after.Others = d.Others.sub(before.Others)
	for _, c := range []struct {
		after  *uint64
		before uint64
	}{
		{&after.Group, before.Group}, {&after.Arrived, before.Arrived}, {&after.Taken, before.Taken}, {&after.Sent, before.Sent},
		{&after.Received, before.Received}, {&after.Dropped, before.Dropped}, {&after.DroppedBytes, before.DroppedBytes},
	} {
		*c.after -= min(*c.after, c.before)
	}
	return &after
}

func (i InterfaceBytes) sub(before InterfaceBytes) InterfaceBytes {
	return InterfaceBytes{
		Name: i.Name, Tx: i.Tx - min(i.Tx, before.Tx), Rx: i.Rx - min(i.Rx, before.Rx),
		TxPackets: i.TxPackets - min(i.TxPackets, before.TxPackets), RxPackets: i.RxPackets - min(i.RxPackets, before.RxPackets),
		TxIP: i.TxIP - min(i.TxIP, before.TxIP), RxIP: i.RxIP - min(i.RxIP, before.RxIP),
	}
}

// datagrams turns what the kernel counted of a socket into what a History's events tell; nil if it counted nothing.
func (t *translator) datagrams(b *bpf.Datagrams, foreign bool) *Datagrams {
	if b == nil {
		return nil
	}
	d := &Datagrams{
		Others: interfaceBytesOf(b.Others), Odd: b.Odd, Group: b.Group, Arrived: b.Arrived, Taken: b.Taken,
		Sent: b.Sent, Received: b.Received, Dropped: b.Dropped, DroppedBytes: b.DroppedBytes,
	}
	for i, each := range b.Each {
		d.Interfaces[i] = interfaceBytesOf(each)
		if each.Index != 0 && !foreign && t.interfaceName != nil {
			d.Interfaces[i].Name = t.interfaceName(each.Index)
		}
	}
	return d
}

func interfaceBytesOf(b bpf.InterfaceBytes) InterfaceBytes {
	return InterfaceBytes{Tx: b.Tx, Rx: b.Rx, TxPackets: b.TxPackets, RxPackets: b.RxPackets, TxIP: b.TxIP, RxIP: b.RxIP}
}
