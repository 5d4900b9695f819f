package session

import (
	"reflect"

	"apptap/pidmap"
)

// processRecord describes a process once; events refer to it by Number, which begins at 1.
type processRecord struct {
	Number    uint32     `json:"number"`
	PID       int32      `json:"pid"`
	Start     uint64     `json:"start,omitempty"`      // in the kernel's own unit
	StartTime int64      `json:"start_time,omitempty"` // nanoseconds since 1970 UTC
	PPID      int32      `json:"ppid,omitempty"`
	UID       uint32     `json:"uid,omitempty"`
	User      text       `json:"user,omitempty"`
	Name      text       `json:"name,omitempty"`
	Path      text       `json:"path,omitempty"`
	Cmdline   []text     `json:"cmdline,omitzero"`
	Cgroup    text       `json:"cgroup,omitempty"`
	Bundle    *appRecord `json:"bundle,omitempty"`
	placeRecord
}

// appRecord is an app that was found while the processes that it consists of were there.
type appRecord struct {
	ID   text   `json:"id"`
	Name text   `json:"name,omitempty"`
	Kind text   `json:"kind,omitempty"`
	Path text   `json:"path,omitempty"`
	Why  []text `json:"why,omitzero"`
}

func appRecordOf(a *pidmap.App) *appRecord {
	if a == nil {
		return nil
	}
	return &appRecord{ID: text(a.ID), Name: text(a.Name), Kind: text(a.Kind), Path: text(a.Path), Why: texts(a.Why)}
}

func (r *appRecord) app() *pidmap.App {
	if r == nil {
		return nil
	}
	return &pidmap.App{ID: string(r.ID), Name: string(r.Name), Kind: string(r.Kind), Path: string(r.Path), Why: stringsOf(r.Why)}
}

func processRecordOf(number uint32, p *pidmap.Process) processRecord {
	return processRecord{
		Number: number, PID: p.Key.PID, Start: p.Key.Start, StartTime: p.StartTime, PPID: p.PPID, UID: p.UID,
		User: text(p.User), Name: text(p.Name), Path: text(p.Path), Cmdline: texts(p.Cmdline), Cgroup: text(p.Cgroup),
		Bundle: appRecordOf(p.Bundle), placeRecord: placeRecordOf(p),
	}
}

func (r *processRecord) process() pidmap.Process {
	p := pidmap.Process{
		Key: pidmap.ProcessKey{PID: r.PID, Start: r.Start}, StartTime: r.StartTime, PPID: r.PPID, UID: r.UID,
		User: string(r.User), Name: string(r.Name), Path: string(r.Path), Cmdline: stringsOf(r.Cmdline), Cgroup: string(r.Cgroup),
		Bundle: r.Bundle.app(),
	}
	r.into(&p)
	return p
}

// maxNumbered bounds the processes that are remembered as written; beyond it all are described again.
const maxNumbered = 16384

// numbered are the processes that a file describes already. One process may be there several times, as the programs
// that it was.
type numbered struct {
	last  uint32
	held  int
	known map[pidmap.ProcessKey][]described
}

type described struct {
	process pidmap.Process
	number  uint32
}

// forget has every process described again, under a new number.
func (n *numbered) forget() { n.known, n.held = nil, 0 }

// number is that of p, 0 for the zero process; fresh says that p has to be described first.
func (n *numbered) number(p *pidmap.Process) (number uint32, fresh bool) {
	if reflect.ValueOf(p).Elem().IsZero() {
		return 0, false
	}
	for _, d := range n.known[p.Key] {
		if reflect.DeepEqual(d.process, *p) { // every field, also those to come
			return d.number, false
		}
	}
	if n.known == nil || n.held == maxNumbered {
		n.known, n.held = map[pidmap.ProcessKey][]described{}, 0
	}
	n.last++
	n.held++
	n.known[p.Key] = append(n.known[p.Key], described{*p, n.last})
	return n.last, true
}
