package pipeline

import "fmt"

// mostOnWire is more bytes than any frame has: libpcap's bound for what a bus hands over in one piece (MAXIMUM_SNAPLEN of USB and D-Bus,
// pcap-common.c); frames of networks end at 256 KiB. A file may claim anything.
const mostOnWire = 128 << 20

// oversizedSentence is what the report says of packets whose length cannot be, "" for none.
func (o *owner) oversizedSentence() string {
	n := o.run.oversized.Load()
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("packets that claim to have had more than %d MiB on the wire: %d; the claims are counted, each as 2 GiB at most, so that no "+
		"sum with them is to be trusted: the file is damaged, or was made to mislead", mostOnWire>>20, n)
}
