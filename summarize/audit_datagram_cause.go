package summarize

// Classes of difference that only UDP has. What arrived is what the capture saw, what programs received may be less.
const (
	// CauseTruncated: the reader's buffer was shorter than the datagram.
	CauseTruncated = "truncated_receive"
	// CauseSocketFull: the socket's receive buffer had no room.
	CauseSocketFull = "socket_buffer_full"
	// CauseNeverRead: nobody had read it when the socket was closed. Linux before 6.10 does not tell it from the buffer full.
	CauseNeverRead = "never_read"
	// CauseSendError: programs handed it over, and no packet came of it.
	CauseSendError = "send_error"
	// CauseFanOut: multicast and broadcast, of which each socket that takes part has a copy.
	CauseFanOut = "multicast_fan_out"
)

const (
	noDatagramCounters = "nothing counted the bytes of its UDP socket, which takes eBPF on Linux and ntstat on a Mac"
	noSocketOfPort     = "the kernel reported no counters of a socket on its port"
	translatedSocket   = "its addresses are translated, and the UDP sockets behind that are not compared"
	oddSocket          = "not all packets of its socket could be counted"
	unknownSocket      = "another socket, of which nothing is known, may have used its port"
)

// datagramRun is what the whole run says about UDP sockets.
type datagramRun struct {
	circumstances
	filtered, counted, whole bool   // there was any filter, counters of any UDP socket, and of each of them
	none                     string // why no UDP socket was counted, where none was
	window                   Window
}

func datagramRunOf(in *Input) datagramRun {
	r := datagramRun{circumstances: circumstancesOf(in), window: in.Window, whole: in.DatagramsWhole, counted: len(in.Datagrams) > 0 || in.DatagramsWhole}
	r.filtered, r.none = in.filtered(), in.noDatagrams()
	return r
}

// noDatagrams says why no UDP socket was counted, where none was.
func (in *Input) noDatagrams() string {
	if !in.Live && in.SocketsUnavailable != "" || in.SocketsUnavailable == OtherHost {
		return in.SocketsUnavailable
	}
	return noDatagramCounters
}

// portOutcome is what came of comparing a use of a port.
type portOutcome struct {
	verdict     Verdict
	unavailable string
	causes      []Cause
	tx, rx      int64 // kernel - captured
	unexplained uint64
	missedBy    []portMissed
}

// judge compares what was captured of a use with what the kernel counted.
func (r *datagramRun) judge(u *portUse) portOutcome {
	k := &u.kernel
	switch {
	case k.sockets == 0 && !r.counted:
		return portOutcome{verdict: VerdictUnavailable, unavailable: r.none}
	case k.sockets == 0:
		return portOutcome{verdict: VerdictUnavailable, unavailable: noSocketOfPort}
	case k.lost:
		return portOutcome{verdict: VerdictUnavailable, unavailable: lastLost}
	case k.odd:
		return portOutcome{verdict: VerdictUnavailable, unavailable: oddSocket}
	}
	o := portOutcome{tx: difference(k.tx, u.tx), rx: difference(k.rx, u.rx)}
	if (o.tx < 0 || o.rx < 0) && r.mayBeOthers(u) {
		return portOutcome{verdict: VerdictUnavailable, unavailable: unknownSocket}
	}
	r.explain(&o, u, o.tx, k.otherTx, false)
	txLost := lostOf(o.causes)
	r.explain(&o, u, o.rx, k.otherRx, true)
	o.missedBy = u.missedBy(r.missed(u, txLost, lostOf(o.causes)-txLost), r.header(u.iface))
	o.cause(CauseSocketFull, -int64(k.full))
	o.cause(CauseTruncated, -int64(k.cut))
	if !k.open {
		o.cause(CauseNeverRead, -int64(k.unread))
	}
	o.cause(CauseFanOut, int64(k.group))
	o.cause(CauseSendError, int64(k.unsent))
	switch {
	case o.unexplained > 0:
		o.verdict = VerdictUnexplained
	case len(o.causes) > 0:
		o.verdict = VerdictExplained
	default:
		o.verdict = VerdictExact
	}
	return o
}

// missed is what a use of a port lost; packets without payload, and of groups, are among it.
func (r *datagramRun) missed(u *portUse, txLost, rxLost uint64) *Missed {
	if !r.dropped || r.filtered {
		return nil
	}
	m := &Missed{TxPayload: txLost, RxPayload: rxLost}
	m.frames(&u.kernel.packets, u.captured, r.header(u.iface))
	if *m == (Missed{}) {
		return nil
	}
	if u.flows == 0 {
		m.Flows = 1
	}
	return m
}

func (o *portOutcome) cause(name string, bytes int64) {
	if bytes != 0 {
		o.causes = append(o.causes, Cause{name, bytes})
	}
}

// explain names the causes of one direction's difference.
func (r *datagramRun) explain(o *portOutcome, u *portUse, left int64, elsewhere uint64, rx bool) {
	if left > 0 && elsewhere > 0 {
		there := int64(min(uint64(left), elsewhere))
		o.cause(CauseOtherInterface, there)
		left -= there
	}
	if left == 0 {
		return
	}
	if name := r.class(u, left, rx); name != "" {
		o.cause(name, left)
		return
	}
	o.unexplained += magnitude(left)
}

// class is the first class that a difference may belong to, "" if it is in none.
func (r *datagramRun) class(u *portUse, left int64, rx bool) string {
	k := &u.kernel
	switch {
	case u.snapped:
		return CauseSnaplen
	case left < 0 && rx && !k.open && u.end > k.until:
		return CauseArrivedAfterClose
	case left < 0 && k.older:
		return CauseStartedBefore
	case left < 0:
		return ""
	case r.dropped:
		return CauseCaptureDrop
	case r.filtered:
		return CauseFilteredOut
	case k.older || k.since < r.window.Start:
		return CauseStartedBefore
	case k.open || k.until > r.window.End:
		return CauseStillOpen
	}
	return ""
}

// mayBeOthers says that a socket whose counters are not known may have had some of the port's flows: not all of them were
// told of, or packets came when none of those that were was there.
func (r *datagramRun) mayBeOthers(u *portUse) bool {
	k := &u.kernel
	return !r.whole || !k.older && u.begin < k.since-datagramSlack || !k.open && u.end > k.until+datagramSlack && u.tx > k.tx
}
