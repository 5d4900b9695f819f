// Package summarize answers who used how much toward whom, and whether the kernel agrees: Build joins
// flows, owners and kernel counters into one immutable Summary. The pipeline calls it. It never reads
// the operating system, never sleeps and never prints.
package summarize

import (
	"net/netip"

	"apptap/flows"
	"apptap/pidmap"
)

// Summary is the whole answer of a run. It is immutable once built: any goroutine may read it. All
// slices are in their final order, by bytes (largest first), then name, then key.
type Summary struct {
	Source       Source
	Window       Window
	Totals       Totals  // of all flows: apps + unattributed, field by field
	Missed       *Missed // of all flows, on top of Totals: apps + unattributed; nil for nothing
	Folded       Totals  // of which: flows that were summed up early, to keep memory bounded; they are not in Flows
	Apps         []AppUse
	Unattributed Unattributed
	Undecoded    Undecoded
	SeenBefore   flows.Repeated // captured, and neither in Totals nor in Undecoded: counted on another interface
	Audit        Audit
	Drops        Drops
	// Degraded says what this run could not do, each with the mend.
	Degraded []string
	// Incomplete says that some of the input is missing: a file cut short or not given, an interface gone.
	Incomplete bool
	Lookups    []flows.Lookup // what was asked of DNS, by name, then client; not those of names past a bound
	Owners     []OwnedFlow    // of the endpoint that was asked about, by time
	Flows      []FlowUse      // sorted by bytes, then first packet, then key
}

// Source describes what was captured.
type Source struct {
	Kind       string // "live" or "file"
	Interfaces []string
	Files      []string
	Filter     string
	SnapLen    int
	Reader     string // what took live packets from the kernel: "ring" or "pcap", both where interfaces differ
	TimeStamps string // what stamped live packets, by libpcap's name (pcap-tstamp(7)); "" for the kernel's clock
	Kept       string // of live frames: "whole" or "headers", which is all but what names stand in, both up to SnapLen; KeptNothing
	Local      []netip.Prefix
	LocalFrom  string // interface, file, process_blocks, flag or inferred
}

// FilterAnonymized stands in place of a Source's filter of which nothing is to be told.
const FilterAnonymized = "anonymized"

// Window is the time covered, in nanoseconds since 1970 UTC: of a file its first to its last packet,
// live from the start of the capture to its end. Both 0: nothing was captured.
type Window struct{ Start, End int64 }

// Totals are counts over a number of flows.
type Totals struct {
	flows.Counts
	Flows int
}

// Add returns t + o.
func (t Totals) Add(o Totals) Totals {
	return Totals{t.Counts.Add(o.Counts), t.Flows + o.Flows}
}

func (t *Totals) add(o *Totals) { *t = t.Add(*o) }

// AppUse is what one app used.
type AppUse struct {
	App pidmap.App
	Totals
	Methods      map[pidmap.Method]uint64 // frame bytes by how the owner became known; sums to Bytes
	Processes    []ProcessUse
	Destinations []Destination

	OtherDestinations OtherDestinations
	OtherProcesses    OtherProcesses

	Kernel *KernelUse // nil if the kernel's counters were not available for any of its flows
	Missed *Missed    // nil for nothing: on top of Totals
}

// ProcessUse is what one process used.
type ProcessUse struct {
	Process pidmap.Process
	Totals
}

// Destination is where bytes went to and came from: a name that the flows stated or their opener had asked DNS for
// (or, without one, an address), protocol and port. The port is the service's: the remote one if this side opened the flow, else the local one.
type Destination struct {
	Name       string
	NameSource string // as flows.Names.Best; "none" if Name is an address
	Addresses  []netip.Addr
	Proto      flows.Protocol
	Port       uint16
	Service    string // IANA service name, "" if the port has none
	// Inbound says that the remote side opened the flows: Port is then this host's.
	Inbound bool
	// PeerApp is the app at the other end where that is on this host too (loopback).
	PeerApp string
	Totals
	Times *Times // nil where nothing is known of them
}

// Unattributed is what belongs to no known app.
type Unattributed struct {
	Totals
	Reasons      map[pidmap.Reason]uint64 // frame bytes; sums to Bytes
	Destinations []Destination

	OtherDestinations OtherDestinations

	// Hosts are the flows of a file that names no owner for them by their local address, and OtherHosts those of
	// addresses that are not listed.
	Hosts      []HostUse
	OtherHosts Totals

	Missed *Missed // nil for nothing: on top of Totals
}

// HostUse is what one local address sent and received.
type HostUse struct {
	Address netip.Addr
	Totals
}

// OtherDestinations are the destinations that are not listed: with those that are, they sum to the app's totals.
type OtherDestinations struct {
	// Destinations is how many they are. Where there were too many to keep apart it is how many at most: one that was
	// added up and came again counts twice.
	Destinations int
	Totals
}

func (o *OtherDestinations) count(t *Totals, destinations int) {
	o.Destinations += destinations
	o.Totals.add(t)
}

// OtherProcesses are those of an app that are not listed.
type OtherProcesses struct {
	Processes int // at most: one that was added up and came again counts twice
	Totals
}

// Undecoded is what belongs to no TCP or UDP flow.
type Undecoded struct {
	Packets, Bytes uint64
	Kinds          []KindUse // by bytes, then name
}

// KindUse is one kind of undecoded packet: "arp", "icmp", "truncated", ...
type KindUse struct {
	Kind           string
	Packets, Bytes uint64
}

// Drops are packets that were lost before apptap saw them.
type Drops struct {
	Received, DroppedKernel, DroppedInterface, DroppedUserspace uint64
	Known                                                       bool
}

// FlowUse is a flow with its owner and its check against the kernel.
type FlowUse struct {
	Flow  flows.Flow
	Owner pidmap.Attribution
	Peer  pidmap.Attribution // of the remote side, where that is on this host; else zero
	// Parts are what each of several owners had of the flow; they sum to its Counts, and one of them, which is Owner's, counts for the flow itself. Nil
	// for a single owner or none.
	Parts []Part
	// Kernel is nil if the kernel's counters were not available.
	Kernel    *KernelUse
	Verdict   Verdict
	Causes    []Cause // one for each relation (see relations) and class: their absolute bytes add up
	Missed    *Missed // nil for nothing
	Interface string
	// Unavailable says why there was nothing to compare with, "" unless the verdict is VerdictUnavailable.
	Unavailable string
}

// KernelUse are the kernel's counters summed over flows, in bytes, and what came of the comparison.
type KernelUse struct {
	TxPayload, RxPayload, TxStream, RxStream uint64
	// RxPayloadKnown says whether RxPayload means anything: of a TCP socket itself Linux counts no received payload with the
	// retransmissions in it, only the stream, and of its packets where there is eBPF.
	RxPayloadKnown           bool
	FlowsChecked, FlowsExact int
	UnexplainedBytes         uint64
	Wire                     Wire // of flows whose packets were counted
}

// Add returns k + o. A sum is only known if both parts are.
func (k KernelUse) Add(o KernelUse) KernelUse {
	sum := KernelUse{
		TxPayload: k.TxPayload + o.TxPayload, TxStream: k.TxStream + o.TxStream, RxStream: k.RxStream + o.RxStream,
		RxPayloadKnown: k.RxPayloadKnown && o.RxPayloadKnown,
		FlowsChecked:   k.FlowsChecked + o.FlowsChecked, FlowsExact: k.FlowsExact + o.FlowsExact,
		UnexplainedBytes: k.UnexplainedBytes + o.UnexplainedBytes, Wire: k.Wire.Add(o.Wire),
	}
	if sum.RxPayloadKnown {
		sum.RxPayload = k.RxPayload + o.RxPayload
	}
	return sum
}

// Verdict is the result of comparing captured bytes with the kernel's.
type Verdict string

// The verdicts: equal to the byte, different with every byte of it in a named class, different, or
// nothing to compare with.
const (
	VerdictExact       Verdict = "exact"
	VerdictExplained   Verdict = "explained"
	VerdictUnexplained Verdict = "unexplained"
	VerdictUnavailable Verdict = "unavailable"
)

// Cause is one class of difference and its bytes, kernel minus captured: positive where the kernel counted
// more than was captured.
type Cause struct {
	Name  string
	Bytes int64
}

// Audit is the comparison with the kernel's own counters.
type Audit struct {
	Verdict                                             Verdict
	Checked, Exact, Explained, Unexplained, Unavailable int     // flows
	Causes                                              []Cause // explained differences over all flows, absolute bytes, by bytes then name
	UnexplainedBytes                                    uint64
	Unchecked                                           []Unchecked // why flows are Unavailable; TCP first, then by flows
	Interfaces                                          []InterfaceAudit
	Ledger                                              Ledger
}

// Unchecked counts the flows of a protocol that had nothing to be compared with, for one reason.
type Unchecked struct {
	Proto flows.Protocol
	Why   string
	Flows int
}

// InterfaceAudit compares one interface's captured frames with its counters over the same time.
type InterfaceAudit struct {
	Name                            string
	CapturedPackets, CapturedBytes  uint64
	KernelPackets, KernelBytes      uint64
	FilteredOut                     uint64 // frame bytes that the filter kept out of the capture
	DroppedKernel, DroppedInterface uint64 // packets
	Causes                          []Cause
	ResidualBytes                   int64 // kernel - captured - causes: signed, never capped
	Unavailable                     string
}
