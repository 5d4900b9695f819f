package session

import (
	"net/netip"

	"apptap/summarize"
)

// stateRecord is what is known of the run itself: the parts of a summarize.Input that neither packets nor the other
// records say. The first stands before all packets, the last one (Final) behind them; each takes the place of the one
// before it.
type stateRecord struct {
	Final              bool              `json:"final"`
	Start              int64             `json:"start"` // of the capture, nanoseconds since 1970 UTC
	End                int64             `json:"end"`   // until when packets count, or when the record was written
	Filter             text              `json:"filter,omitempty"`
	SnapLen            int               `json:"snaplen"`
	Local              []netip.Prefix    `json:"local,omitzero"`
	LocalFrom          text              `json:"local_from,omitempty"`
	Interfaces         []interfaceRecord `json:"interfaces"`
	SocketsUnavailable text              `json:"sockets_unavailable,omitempty"`
	CounterOverflows   uint64            `json:"counter_overflows,omitempty"`
	DroppedUserspace   uint64            `json:"dropped_userspace,omitempty"`
	Degraded           []text            `json:"degraded,omitzero"`
	Incomplete         bool              `json:"incomplete,omitempty"`
	Gap                bool              `json:"gap,omitempty"`
	Reader             text              `json:"reader,omitempty"`
	TimeStamps         text              `json:"time_stamps,omitempty"`
	Kept               text              `json:"kept,omitempty"`
	Part               *partRecord       `json:"part,omitempty"`

	gap    string // not written: why packets of the run are missing where its files are read; "" = none are
	begun  int    // not written: how many files of the run came before the first one read
	joined bool   // not written: files of the run stand one behind the other in this one
}

// lacksRecord is what a capture lacked that is no session and was made a file of again.
type lacksRecord struct {
	Degraded []text `json:"degraded"`
}

// interfaceRecord is an interface in the order of the file's descriptions. Received and dropped packets stand in the
// interface statistics blocks.
type interfaceRecord struct {
	Name     text            `json:"name"`
	Loopback bool            `json:"loopback,omitempty"`
	Filter   text            `json:"filter,omitempty"`
	Readings *readingsRecord `json:"readings,omitempty"`
}

// readingsRecord are the kernel's counters right before and after the opening and the closing of the capture.
type readingsRecord struct {
	BeforeOpen  countsRecord `json:"before_open"`
	AfterOpen   countsRecord `json:"after_open"`
	BeforeClose countsRecord `json:"before_close"`
	AfterClose  countsRecord `json:"after_close"`
	Limited     bool         `json:"limited,omitempty"`
	Unavailable text         `json:"unavailable,omitempty"`
}

type countsRecord struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxDropped uint64 `json:"rx_dropped"`
	TxDropped uint64 `json:"tx_dropped"`

	QueueDropped uint64 `json:"queue_dropped,omitempty"`
	QueuePackets uint64 `json:"queue_packets,omitempty"`
	QueueBytes   uint64 `json:"queue_bytes,omitempty"`
}

func (r *stateRecord) continued() bool { return r.Part != nil && r.Part.Continued }

func stateRecordOf(in *summarize.Input, final bool) stateRecord {
	r := stateRecord{
		Final: final, Start: in.Window.Start, End: in.Window.End, Filter: text(in.Filter), SnapLen: in.Source.SnapLen,
		Local: in.Source.Local, LocalFrom: text(in.Source.LocalFrom),
		SocketsUnavailable: text(in.SocketsUnavailable), CounterOverflows: in.CounterOverflows, DroppedUserspace: in.DroppedUserspace,
		Degraded: texts(in.Degraded), Incomplete: in.Incomplete, Gap: in.Gap, Interfaces: []interfaceRecord{},
		Reader: text(in.Source.Reader), TimeStamps: text(in.Source.TimeStamps), Kept: text(in.Source.Kept),
	}
	for i := range in.Interfaces {
		r.Interfaces = append(r.Interfaces, interfaceRecordOf(&in.Interfaces[i]))
	}
	return r
}

func interfaceRecordOf(i *summarize.InterfaceInput) interfaceRecord {
	r := interfaceRecord{Name: text(i.Name), Loopback: i.Loopback, Filter: text(i.Filter)}
	if i.Readings != nil {
		r.Readings = &readingsRecord{
			countsRecord(i.Readings.BeforeOpen), countsRecord(i.Readings.AfterOpen),
			countsRecord(i.Readings.BeforeClose), countsRecord(i.Readings.AfterClose),
			i.Readings.Limited, text(i.Readings.Unavailable),
		}
	}
	return r
}

func (r *readingsRecord) readings() *summarize.InterfaceReadings {
	if r == nil {
		return nil
	}
	return &summarize.InterfaceReadings{
		BeforeOpen: summarize.InterfaceCounters(r.BeforeOpen), AfterOpen: summarize.InterfaceCounters(r.AfterOpen),
		BeforeClose: summarize.InterfaceCounters(r.BeforeClose), AfterClose: summarize.InterfaceCounters(r.AfterClose),
		Limited: r.Limited, Unavailable: string(r.Unavailable),
	}
}
