package flows

// Undecoded counts the packets of one kind that belong to no TCP or UDP flow. Bytes are frame bytes.
type Undecoded struct {
	Kind           string // "arp", "icmp", "truncated", ...
	Packets, Bytes uint64
}
