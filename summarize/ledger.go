package summarize

import (
	"cmp"
	"slices"
)

// Ledger is where the frame bytes went that the kernel counted on all interfaces together:
//
//	KernelBytes = Apps + Unattributed + Missed + Undecoded + SeenBefore + FilteredOut + Causes + ResidualBytes
//
// Missed is what the capture dropped and the kernel counted for a socket; what it dropped beside that is a cause.
// The residual is what is left over, signed and never capped. It is of the whole run, not the sum of the interfaces' alone: a
// frame that was captured and then booked nowhere shows in it too.
type Ledger struct {
	KernelBytes, CapturedBytes                uint64
	Apps, Unattributed, Undecoded, SeenBefore uint64 // captured
	Missed                                    uint64 // not captured, of apps and of flows without an owner
	FilteredOut                               uint64
	Causes                                    []Cause // of the interfaces, kernel - captured, by name
	ResidualBytes                             int64
	Unavailable                               string // why there is no KernelBytes and so no residual, "" if there is
}

func (s *Summary) ledger() Ledger {
	l := Ledger{Unattributed: s.Unattributed.Bytes(), Undecoded: s.Undecoded.Bytes, SeenBefore: s.SeenBefore.Bytes}
	for i := range s.Apps {
		l.Apps += s.Apps[i].Bytes()
	}
	if len(s.Audit.Interfaces) == 0 {
		l.Unavailable = "no interface was captured"
	}
	var causes groups[string, Cause]
	for i := range s.Audit.Interfaces {
		a := &s.Audit.Interfaces[i]
		l.KernelBytes += a.KernelBytes
		l.CapturedBytes += a.CapturedBytes
		l.FilteredOut += a.FilteredOut
		for _, c := range a.Causes {
			sum := causes.at(c.Name)
			sum.Name = c.Name
			sum.Bytes += c.Bytes
		}
		l.Unavailable = cmp.Or(l.Unavailable, a.Unavailable)
	}
	slices.SortFunc(causes.list, func(a, b Cause) int { return cmp.Compare(a.Name, b.Name) })
	l.Causes = causes.list
	l.split(s.Missed.Bytes())
	if l.Unavailable != "" {
		l.KernelBytes, l.FilteredOut, l.Causes, l.Missed = 0, 0, nil, 0
		return l
	}
	l.ResidualBytes = difference(l.KernelBytes, l.Apps+l.Unattributed+l.Missed+l.Undecoded+l.SeenBefore+l.FilteredOut)
	for _, c := range l.Causes {
		l.ResidualBytes -= c.Bytes
	}
	return l
}

// split takes what was missed out of the bytes that were dropped, as far as there were any.
func (l *Ledger) split(missed uint64) {
	kept := l.Causes[:0]
	for _, c := range l.Causes {
		if (c.Name == CauseCaptureDrop || c.Name == CauseFilteredOrDropped) && c.Bytes > 0 {
			part := min(missed-l.Missed, uint64(c.Bytes))
			l.Missed, c.Bytes = l.Missed+part, c.Bytes-int64(part)
		}
		if c.Bytes != 0 {
			kept = append(kept, c)
		}
	}
	l.Causes = kept
}
