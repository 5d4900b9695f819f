package session

import (
	"slices"

	"apptap/summarize"
)

// moments are the words for summarize.Moment, in its order.
var moments = [...]string{summarize.AtStart: "start", summarize.AtClose: "close", summarize.AtEnd: "end", summarize.AtCount: "count"}

// countersRecord is what the kernel counted for a TCP socket: a summarize.SocketCounters.
type countersRecord struct {
	keyRecord
	Cookie     uint64 `json:"cookie,omitempty"`
	Time       int64  `json:"time"`
	Moment     string `json:"moment"`
	Sequence   uint64 `json:"sequence,omitempty"`
	Sent       uint64 `json:"bytes_sent"`
	Retrans    uint64 `json:"bytes_retrans"`
	Received   uint64 `json:"bytes_received"`
	Acked      uint64 `json:"bytes_acked"`
	FINKnown   bool   `json:"fin_known,omitempty"`
	PeerFIN    bool   `json:"peer_fin,omitempty"`
	Foreign    bool   `json:"foreign,omitempty"`
	Incomplete bool   `json:"incomplete,omitempty"`
	Payload    bool   `json:"payload,omitempty"`
	Duplicate  uint64 `json:"bytes_duplicate,omitempty"`
	Interface  text   `json:"interface,omitempty"`
	Lost       bool   `json:"lost,omitempty"`
	Accepted   bool   `json:"accepted,omitempty"`
	Since      int64  `json:"since,omitempty"`

	Datagrams *datagramsRecord `json:"datagrams,omitempty"`
}

func countersRecordOf(c *summarize.SocketCounters) countersRecord {
	return countersRecord{
		keyRecord: keyRecordOf(c.Key), Cookie: c.Cookie, Time: c.Time, Moment: moments[c.Moment], Sequence: c.Sequence,
		Sent: c.BytesSent, Retrans: c.BytesRetrans, Received: c.BytesReceived, Acked: c.BytesAcked, Incomplete: c.Incomplete,
		FINKnown: c.FINKnown, PeerFIN: c.PeerFIN, Foreign: c.Foreign, Since: c.Since, Accepted: c.Accepted, Datagrams: datagramsRecordOf(c.Packets),
		Payload: c.Payload, Duplicate: c.BytesDuplicate, Interface: text(c.Interface), Lost: c.Lost,
	}
}

func (r *countersRecord) counters() (c summarize.SocketCounters, err error) {
	moment := slices.Index(moments[:], r.Moment)
	if moment < 0 {
		return c, errUnknownKind
	}
	c = summarize.SocketCounters{
		Cookie: r.Cookie, Time: r.Time, Moment: summarize.Moment(moment), Sequence: r.Sequence,
		BytesSent: r.Sent, BytesRetrans: r.Retrans, BytesReceived: r.Received, BytesAcked: r.Acked, Incomplete: r.Incomplete,
		FINKnown: r.FINKnown, PeerFIN: r.PeerFIN, Foreign: r.Foreign, Since: r.Since, Accepted: r.Accepted, Packets: r.Datagrams.datagrams(),
		Payload: r.Payload, BytesDuplicate: r.Duplicate, Interface: string(r.Interface), Lost: r.Lost,
	}
	c.Key, err = r.key()
	return c, err
}
