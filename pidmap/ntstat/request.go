package ntstat

import "encoding/binary"

// Provider is a kind of flow source in the kernel.
type Provider uint32

// The providers that need no privilege. Those of user space are Network.framework's flows: no kernel socket, no file
// descriptor, so nothing else but PKTAP tells of them.
const (
	TCPKernel Provider = 2
	TCPUser   Provider = 3
	UDPKernel Provider = 4
	UDPUser   Provider = 5
	QUICUser  Provider = 8
)

// Providers are all of them, in the order in which to ask.
func Providers() []Provider { return []Provider{TCPKernel, UDPKernel, TCPUser, UDPUser, QUICUser} }

// known says whether flows of the provider can be read.
func (p Provider) known() bool {
	return p == TCPKernel || p == TCPUser || p == UDPKernel || p == UDPUser || p == QUICUser
}

// userSpace says whether its flows are user space networking's. Their state, their addresses and on whose behalf they are is what the
// processes themselves wrote (bsd/net/necp_client.c, necp_request_quic_netstats and its like), so that none of it tells of the layout.
func (p Provider) userSpace() bool { return p == TCPUser || p == UDPUser || p == QUICUser }

// datagrams says whether its descriptors are nstat_udp_descriptor.
func (p Provider) datagrams() bool { return p == UDPKernel || p == UDPUser }

const (
	// filterQuietAdd spares a message for each new flow, NSTAT_FILTER_SUPPRESS_SRC_ADDED, which would have no more than its number and which
	// a full queue would refuse together with the flow. NSTAT_FILTER_USE_UPDATE_FOR_ADD asks for an update in its place, which no kernel of
	// macOS 11 to 15 sends: the next answer tells of the flow, or its end.
	filterQuietAdd = 0x100000 | 0x200000
	allRefs        = ^uint64(0) // NSTAT_SRC_REF_ALL
	addAllSize     = 56
)

// AddAllRequest asks for all flows of a provider, those of now and of later (nstat_msg_add_all_srcs).
func AddAllRequest(context uint64, p Provider) []byte {
	b := header(context, AddAll, addAllSize)
	binary.LittleEndian.PutUint64(b[16:], filterQuietAdd)
	binary.LittleEndian.PutUint32(b[32:], uint32(p))
	return b
}

// UpdateRequest asks for an Update of every flow. The kernel answers in parts: while its Success has the flag Continuation
// the same request, with the same context, asks for the next. The request has the flag too: without it macOS 11 to 15 tell of all flows at
// once, and where they break off because others want the list's lock (nstat_client_handle_get_update), their Success does not say so.
func UpdateRequest(context uint64) []byte {
	b := header(context, GetUpdate, refSize)
	binary.LittleEndian.PutUint16(b[14:], uint16(Continuation))
	binary.LittleEndian.PutUint64(b[16:], allRefs)
	return b
}

func header(context uint64, k Kind, size int) []byte {
	b := make([]byte, size)
	binary.LittleEndian.PutUint64(b, context)
	binary.LittleEndian.PutUint32(b[8:], uint32(k))
	binary.LittleEndian.PutUint16(b[12:], uint16(size))
	return b
}
