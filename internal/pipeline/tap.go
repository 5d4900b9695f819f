package pipeline

import (
	"apptap/flows"
	"apptap/pidmap"
)

// tapOwners is an Owners that takes what packets of a live run say of their owners: it knows their processes by more than a number,
// and tells of them in events that a session keeps.
type tapOwners interface {
	Tapped([]pidmap.Tapped)
}

// tap hands what a batch's packets say to the source of ownership; false if there is none that takes it.
func (o *owner) tap(b *batch) bool {
	listener, ok := o.config.Owners.(tapOwners)
	if !ok || !o.config.Live || len(b.stated) == 0 {
		return false
	}
	var list []pidmap.Tapped
	for i := range b.stated {
		said := &b.stated[i]
		seen := &b.packets[said.packet]
		if !said.owner.Header || !seen.Kind.Decoded() || seen.FragLater {
			continue
		}
		t := pidmap.Tapped{Key: flows.Key{Local: seen.Src, Remote: seen.Dst, Proto: seen.Proto, IPv6: seen.IPv6}, Time: seen.Time}
		if !said.owner.Outgoing {
			t.Key = t.Key.Reverse()
		}
		if p := said.owner.Process; p != nil {
			t.PID, t.Name = p.PID, p.Name
		}
		if p := said.owner.Effective; p != nil {
			t.Effective, t.EffectiveName = p.PID, p.Name
		}
		list = append(list, t)
	}
	listener.Tapped(list)
	return true
}
