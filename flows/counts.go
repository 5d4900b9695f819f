package flows

// Counts are packets and bytes by direction: Tx left this host, Rx arrived. Bytes are frame bytes, the
// original wire length with the link-layer header and without the FCS; Payload is what TCP or UDP carried,
// TCP retransmissions included.
type Counts struct {
	TxPackets, TxBytes, TxPayload uint64
	RxPackets, RxBytes, RxPayload uint64
}

// Add returns c + o.
func (c Counts) Add(o Counts) Counts {
	return Counts{
		c.TxPackets + o.TxPackets, c.TxBytes + o.TxBytes, c.TxPayload + o.TxPayload,
		c.RxPackets + o.RxPackets, c.RxBytes + o.RxBytes, c.RxPayload + o.RxPayload,
	}
}

// Bytes is the sum of both directions, frame layer.
func (c Counts) Bytes() uint64 { return c.TxBytes + c.RxBytes }

// Packets is the sum of both directions.
func (c Counts) Packets() uint64 { return c.TxPackets + c.RxPackets }

// Reverse swaps the directions.
func (c Counts) Reverse() Counts {
	return Counts{c.RxPackets, c.RxBytes, c.RxPayload, c.TxPackets, c.TxBytes, c.TxPayload}
}
