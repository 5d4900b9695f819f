package report

import (
	"strconv"
	"strings"

	"apptap/flows"
	"apptap/summarize"
)

// rowKind is what a row of the table or page stands for. The words are the page's CSS classes too.
type rowKind string

const (
	rowApp         rowKind = "app"
	rowProcess     rowKind = "process"     // beneath an app, with -v
	rowDestination rowKind = "destination" // beneath an app or unknown owner
	rowHost        rowKind = "host"        // beneath unknown owner, where a file names none
	rowReason      rowKind = "reason"      // beneath unknown owner, where there are several reasons
	rowMissed      rowKind = "missed"      // beneath an app or unknown owner: what the capture lost of it
	rowRest        rowKind = "rest"        // beneath an app: what a limit leaves out, summed
	rowOther       rowKind = "other"       // the apps that a limit leaves out, summed
	rowUnknown     rowKind = "unknown"
	rowUndecoded   rowKind = "undecoded"
	rowTotal       rowKind = "total"
)

// figure is a count, or nothing where the Summary does not say: an undecoded packet has no direction.
type figure struct {
	n     uint64
	known bool
	more  bool // on top of the figures above it
}

func known(n uint64) figure { return figure{n: n, known: true} }

func (f figure) String() string {
	if !f.known {
		return "-"
	}
	if f.more {
		return "+" + grouped(f.n)
	}
	return grouped(f.n)
}

// row is one line of the table and of the page: a name and exact counts. Bytes are frame bytes.
type row struct {
	Kind    rowKind
	Name    string   // visible
	Port    string   // "tcp/443"
	Service string   // IANA name of the port
	Title   string   // more about Name, for a page that has room
	Shorter []string // of a name with numbers or a reading, what to print where it does not fit: longest first

	Sent, Received, Total, Packets, Flows figure
}

// group is a row and the rows beneath it. Rows of groups sum to the last one, TOTAL.
type group struct {
	row
	Beneath []row
}

func totalsRow(kind rowKind, name string, t summarize.Totals) row {
	return row{
		Kind: kind, Name: name,
		Sent: known(t.TxBytes), Received: known(t.RxBytes), Total: known(t.Bytes()),
		Packets: known(t.Packets()), Flows: known(uint64(t.Flows)),
	}
}

func destinationRow(d summarize.Destination) row {
	r := totalsRow(rowDestination, destinationName(&d, flows.DisplayName(d.Name)), d.Totals)
	if flows.Reading(d.Name) != "" {
		r.Shorter = []string{destinationName(&d, d.Name)}
	}
	r.Port, r.Service, r.Title = port(d.Proto, d.Port), visible(d.Service), addresses(d)
	return r
}

// destinationName is what a row says of a destination that is shown as name.
func destinationName(d *summarize.Destination, name string) string {
	name = named(name)
	if d.NameSource == "ech_outer" {
		name += " (outer name)"
	}
	if d.Inbound {
		name = "from " + name
	}
	if d.PeerApp != "" {
		name += " (" + visible(d.PeerApp) + ")"
	}
	return name
}

func processRow(p summarize.ProcessUse) row {
	r := totalsRow(rowProcess, "pid "+strconv.Itoa(int(p.Process.Key.PID))+" "+named(p.Process.Name), p.Totals)
	r.Title = visible(p.Process.Path)
	return r
}

func hostRow(h summarize.HostUse) row {
	return totalsRow(rowHost, "host "+visible(h.Address.String()), h.Totals) // an IPv6 zone is text
}

// port is a protocol and the service's port, "tcp/443".
func port(proto flows.Protocol, number uint16) string {
	return proto.String() + "/" + strconv.Itoa(int(number))
}

func addresses(d summarize.Destination) string {
	var all []string
	for _, addr := range d.Addresses {
		all = append(all, addr.String())
	}
	return visible(strings.Join(all, ", ")) // an IPv6 zone is text
}

// named makes a stranger's name visible, and quotes one that would pass for a row of this report or for
// none at all.
func named(name string) string {
	shown := visible(name)
	if shown == "" || strings.TrimSpace(shown) != shown {
		return `"` + shown + `"`
	}
	for _, own := range []string{"TOTAL", "other (", "unknown", "undecoded", "from ", "pid ", "host "} {
		if strings.HasPrefix(shown, own) {
			return `"` + shown + `"`
		}
	}
	return shown
}
