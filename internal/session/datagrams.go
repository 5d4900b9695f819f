package session

import "apptap/pidmap"

// datagramsRecord is a pidmap.Datagrams. Bytes are payload, but for those from the IP header on.
type datagramsRecord struct {
	Interfaces   [2]interfaceBytesRecord `json:"interfaces"`
	Others       interfaceBytesRecord    `json:"others,omitzero"`
	Odd          bool                    `json:"odd,omitempty"`
	Lost         bool                    `json:"lost,omitempty"`
	Group        uint64                  `json:"group,omitempty"`
	Arrived      uint64                  `json:"arrived,omitempty"`
	Taken        uint64                  `json:"taken,omitempty"`
	Sent         uint64                  `json:"sent,omitempty"`
	Received     uint64                  `json:"received,omitempty"`
	Dropped      uint64                  `json:"dropped,omitempty"`
	DroppedBytes uint64                  `json:"dropped_bytes,omitempty"`
}

type interfaceBytesRecord struct {
	Name text   `json:"name,omitempty"`
	Tx   uint64 `json:"tx_payload,omitempty"`
	Rx   uint64 `json:"rx_payload,omitempty"`

	TxPackets uint64 `json:"tx_packets,omitempty"`
	RxPackets uint64 `json:"rx_packets,omitempty"`
	TxIP      uint64 `json:"tx_ip_bytes,omitempty"`
	RxIP      uint64 `json:"rx_ip_bytes,omitempty"`
}

func datagramsRecordOf(d *pidmap.Datagrams) *datagramsRecord {
	if d == nil {
		return nil
	}
	r := &datagramsRecord{
		Others: interfaceBytesRecordOf(d.Others), Odd: d.Odd, Lost: d.Lost, Group: d.Group, Arrived: d.Arrived, Taken: d.Taken,
		Sent: d.Sent, Received: d.Received, Dropped: d.Dropped, DroppedBytes: d.DroppedBytes,
	}
	for i, each := range d.Interfaces {
		r.Interfaces[i] = interfaceBytesRecordOf(each)
	}
	return r
}

// datagrams is the way back.
func (r *datagramsRecord) datagrams() *pidmap.Datagrams {
	if r == nil {
		return nil
	}
	d := &pidmap.Datagrams{
		Others: r.Others.bytes(), Odd: r.Odd, Lost: r.Lost, Group: r.Group, Arrived: r.Arrived, Taken: r.Taken,
		Sent: r.Sent, Received: r.Received, Dropped: r.Dropped, DroppedBytes: r.DroppedBytes,
	}
	for i, each := range r.Interfaces {
		d.Interfaces[i] = each.bytes()
	}
	return d
}

func interfaceBytesRecordOf(i pidmap.InterfaceBytes) interfaceBytesRecord {
	return interfaceBytesRecord{text(i.Name), i.Tx, i.Rx, i.TxPackets, i.RxPackets, i.TxIP, i.RxIP}
}

func (r interfaceBytesRecord) bytes() pidmap.InterfaceBytes {
	return pidmap.InterfaceBytes{
		Name: string(r.Name), Tx: r.Tx, Rx: r.Rx, TxPackets: r.TxPackets, RxPackets: r.RxPackets, TxIP: r.TxIP, RxIP: r.RxIP,
	}
}
