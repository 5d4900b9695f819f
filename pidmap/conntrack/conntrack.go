// Package conntrack reads what Linux's connection tracking says of the flows whose addresses it translates (NAT), in its netlink
// messages (ctnetlink). pidmap asks it whose a flow is that leaves with an address of this host and belongs to a socket behind it.
// It changes nothing in the kernel and causes nothing to be tracked that is not already.
package conntrack

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"apptap/flows"
	"apptap/pidmap/nlsocket"
)

// Sizes and numbers of include/uapi/linux/netlink.h, netfilter/nfnetlink.h and netfilter/nfnetlink_conntrack.h.
const (
	familyHeader = 4 // struct nfgenmsg

	subsystem  = 1 << 8        // NFNL_SUBSYS_CTNETLINK
	typeNew    = subsystem     // IPCTNL_MSG_CT_NEW, 0
	typeGet    = subsystem | 1 // IPCTNL_MSG_CT_GET
	typeDelete = subsystem | 2 // IPCTNL_MSG_CT_DELETE

	attrOriginal = 1  // CTA_TUPLE_ORIG
	attrReply    = 2  // CTA_TUPLE_REPLY
	attrZone     = 18 // CTA_ZONE

	tupleIP    = 1 // CTA_TUPLE_IP
	tupleProto = 2 // CTA_TUPLE_PROTO
	tupleZone  = 3 // CTA_TUPLE_ZONE

	ipV4Src = 1 // CTA_IP_V4_SRC
	ipV4Dst = 2 // CTA_IP_V4_DST
	ipV6Src = 3 // CTA_IP_V6_SRC
	ipV6Dst = 4 // CTA_IP_V6_DST

	protoNumber  = 1 // CTA_PROTO_NUM
	protoSrcPort = 2 // CTA_PROTO_SRC_PORT
	protoDstPort = 3 // CTA_PROTO_DST_PORT
)

// Entry is a TCP or UDP flow that the kernel translates: a packet that came as Original, source -> destination, goes on so that its
// answer is Reply, source -> destination. So Original is the 5-tuple of the socket that opened the flow, and Reply that
// of the socket that took it.
type Entry struct {
	Original, Reply flows.Key
	Ended           bool // the kernel tracks it no longer
}

// translated says whether the answer is anything but the way back.
func (e *Entry) translated() bool {
	return e.Original.Local.Port != 0 && e.Reply.Local.Port != 0 && e.Original.Proto == e.Reply.Proto && e.Reply != e.Original.Reverse()
}

// Append reads a datagram of netlink messages and appends the flows of which they tell that are translated. done says that it ends a
// dump. Flows of other protocols, those in a conntrack zone (whose addresses mean something only there) and messages about other
// things are passed over. The error wraps nlsocket.ErrMessage, or is the errno with which the kernel answered.
func Append(dst []Entry, datagram []byte) (list []Entry, done bool, err error) {
	for len(datagram) > 0 {
		var m nlsocket.Message
		if m, datagram, err = nlsocket.Next(datagram); err != nil {
			return dst, done, err
		}
		switch m.Kind {
		case nlsocket.KindDone:
			return dst, true, nil
		case nlsocket.KindError: // 0 is an acknowledgement
			if len(m.Body) < 4 {
				return dst, true, fmt.Errorf("%w: error of %d bytes", nlsocket.ErrMessage, len(m.Body))
			}
			if err := m.Errno(); err != nil {
				return dst, true, err
			}
		case typeNew, typeDelete:
			e, ok, err := parse(m.Body)
			if err != nil {
				return dst, done, err
			}
			if e.Ended = m.Kind == typeDelete; ok {
				dst = append(dst, e)
			}
		}
	}
	return dst, done, nil
}

// parse reads what follows the header of one message; false if it tells of nothing that is translated.
func parse(b []byte) (e Entry, ok bool, err error) {
	if len(b) < familyHeader {
		return e, false, fmt.Errorf("%w: ctnetlink in %d bytes, want at least %d", nlsocket.ErrMessage, len(b), familyHeader)
	}
	zoned := false
	err = nlsocket.Attributes(b[familyHeader:], func(kind uint16, value []byte) (err error) {
		var in bool
		switch kind {
		case attrOriginal:
			e.Original, in, err = tuple(value)
		case attrReply:
			e.Reply, in, err = tuple(value)
		case attrZone:
			in = true
		}
		zoned = zoned || in
		return err
	})
	return e, err == nil && !zoned && e.translated(), err
}

// tuple reads a 5-tuple as it is seen from its source; the zero Key if it is of no protocol that makes flows.
func tuple(b []byte) (key flows.Key, zoned bool, err error) {
	var src, dst netip.Addr
	var ports [2]uint16
	var proto flows.Protocol
	err = nlsocket.Attributes(b, func(kind uint16, value []byte) error {
		switch kind {
		case tupleIP:
			return nlsocket.Attributes(value, func(kind uint16, value []byte) error {
				addr, ok := netip.AddrFromSlice(value)
				switch {
				case kind == ipV4Src && ok && addr.Is4(), kind == ipV6Src && ok && addr.Is6():
					src = addr
				case kind == ipV4Dst && ok && addr.Is4(), kind == ipV6Dst && ok && addr.Is6():
					dst = addr
				}
				return nil
			})
		case tupleProto:
			return nlsocket.Attributes(value, func(kind uint16, value []byte) error {
				switch {
				case kind == protoNumber && len(value) >= 1:
					proto = flows.Protocol(value[0])
				case kind == protoSrcPort && len(value) >= 2:
					ports[0] = binary.BigEndian.Uint16(value)
				case kind == protoDstPort && len(value) >= 2:
					ports[1] = binary.BigEndian.Uint16(value)
				}
				return nil
			})
		case tupleZone:
			zoned = true
		}
		return nil
	})
	if err != nil || proto != flows.TCP && proto != flows.UDP || !src.IsValid() || !dst.IsValid() || src.Is4() != dst.Is4() || ports[0] == 0 || ports[1] == 0 {
		return flows.Key{}, zoned, err
	}
	return flows.MakeKey(proto, netip.AddrPortFrom(src, ports[0]), netip.AddrPortFrom(dst, ports[1])), zoned, nil
}

// appendDump appends the request for all entries, of both families.
func appendDump(b []byte) []byte { return append(b, 0, 0, 0, 0) } // AF_UNSPEC, NFNETLINK_V0
