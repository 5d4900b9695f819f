package usage

import (
	"cmp"
	"slices"
	"strconv"
)

// Change is what became of an app, or of one of its destinations, from one report to another.
type Change struct {
	App, AppID string
	Dst        string // "" for the app as a whole
	Proto      string
	Port       uint16
	Inbound    bool

	Before, After Amounts
	Beneath       []Change // of an app: its destinations
}

// Kind is the word for a change: "new", "gone", "grown", "shrunk" or "same", by frame bytes.
func (c *Change) Kind() string {
	switch before, after := c.Before.Bytes(), c.After.Bytes(); {
	case c.Before == Amounts{} && c.After != Amounts{}:
		return "new"
	case c.Before != Amounts{} && c.After == Amounts{}:
		return "gone"
	case after > before:
		return "grown"
	case after < before:
		return "shrunk"
	}
	return "same"
}

// Grown is by how many frame bytes, less than zero where they are fewer.
func (c *Change) Grown() int64 { return int64(c.After.Bytes() - c.Before.Bytes()) }

// place is what one destination is known by in two reports. Its address is not part of it: names move.
type place struct {
	dst, proto string
	port       uint16
	inbound    bool
}

// Diff lists what apps and destinations there are in either report, the greatest change first. It tells apps apart by
// id, and by name where they have none.
func Diff(before, after *Report) []Change {
	apps := map[string]*appChange{}
	collect(apps, before, func(c *Change) *Amounts { return &c.Before })
	collect(apps, after, func(c *Change) *Amounts { return &c.After })
	changes := make([]Change, 0, len(apps))
	for _, a := range apps {
		for _, d := range a.beneath {
			a.Beneath = append(a.Beneath, *d)
		}
		slices.SortFunc(a.Beneath, compareChanges)
		changes = append(changes, a.Change)
	}
	slices.SortFunc(changes, compareChanges)
	return changes
}

type appChange struct {
	Change
	beneath map[place]*Change
}

func collect(apps map[string]*appChange, r *Report, side func(*Change) *Amounts) {
	for i := range r.Rows {
		row := &r.Rows[i]
		key := cmp.Or(row.AppID, row.App)
		a := apps[key]
		if a == nil {
			a = &appChange{Change: Change{App: row.App, AppID: row.AppID}, beneath: map[place]*Change{}}
			apps[key] = a
		}
		side(&a.Change).add(&row.Amounts)
		at := place{row.Dst, row.Proto, row.Port, row.Inbound}
		d := a.beneath[at]
		if d == nil {
			d = &Change{App: row.App, AppID: row.AppID, Dst: cmp.Or(row.Dst, "(others)"), Proto: row.Proto, Port: row.Port, Inbound: row.Inbound}
			a.beneath[at] = d
		}
		side(d).add(&row.Amounts)
	}
}

func compareChanges(a, b Change) int {
	return cmp.Or(
		cmp.Compare(magnitude(b.Grown()), magnitude(a.Grown())), cmp.Compare(a.App, b.App), cmp.Compare(a.AppID, b.AppID),
		cmp.Compare(a.Dst, b.Dst), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), compareInbound(a.Inbound, b.Inbound),
	)
}

func compareInbound(a, b bool) int { return cmp.Compare(strconv.FormatBool(a), strconv.FormatBool(b)) }

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
