// Package session answers what a run knew beside its packets, so that a capture file gives the run's report again: it
// writes owners, kernel counters and circumstances between the packets of a pcapng file as they are learned, and reads
// them back, from its own files and from what other programs write. cmd joins it to the pipeline. It never stores
// results: a report is made anew.
//
// docs/session-format.md describes the format.
package session

// BlockType is the type of the pcapng blocks that hold a session's records. It is one of those for local use: readers
// pass over it silently, where a custom block (0x00000bad) is listed as a packet by Wireshark 4.
const BlockType = 0x80617074

// magic begins every block: another program may use the same local type. The number behind the name is the version of
// the format: it changes when an old reader would misunderstand new records; fields and kinds that it does not know it
// passes over.
const magic = "apptap.session/1\n"

// Bounds of what is kept of a file, so that none can take all memory: far more than any machine makes in a day.
const (
	maxEvents       = 16 << 20
	maxSockets      = 4 << 20
	maxProcessBytes = 256 << 20
	maxStateBytes   = 4 << 20
	maxStatesBytes  = 16 << 20 // of sessions in one file but its first
)
