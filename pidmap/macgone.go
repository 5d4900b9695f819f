package pidmap

import "strings"

// macProcess is a process as another source tells of it.
type macProcess struct {
	pid    int32
	unique uint64 // the kernel's number of it, never used again until reboot; 0 = not told
	name   string // "" = not told
}

// macWas remembers processes for when they are gone: flows are told of once more as they end, and a short-lived program ends with them.
type macWas struct {
	byUnique map[uint64]Process
	byPID    map[int32]Process // the last that had the number
}

func (w *macWas) keep(unique uint64, p Process) {
	if w.byUnique == nil || len(w.byUnique) >= maxKnown || len(w.byPID) >= maxKnown {
		w.byUnique, w.byPID = map[uint64]Process{}, map[int32]Process{}
	}
	w.byPID[p.Key.PID] = p
	if unique != 0 {
		w.byUnique[unique] = p
	}
}

// find is a process that is gone. One that has another name by now was seen before it began another program.
func (w *macWas) find(told macProcess) (Process, bool) {
	p, ok := w.byUnique[told.unique]
	if told.unique == 0 {
		if p, ok = w.byPID[told.pid]; told.name == "" {
			return Process{}, false
		}
	}
	return p, ok && p.Key.PID == told.pid && (strings.HasPrefix(p.Name, told.name) || strings.HasPrefix(told.name, p.Name) && p.Name != "")
}

// named is the process that another source tells of: the one in the table, unless its number is another one's by now, else what was known
// of it, else no more than the name.
func (m *macProcs) named(told macProcess) Process {
	if now := m.unique(told.pid); told.unique == 0 || now == 0 || now == told.unique {
		if p, ok := m.process(told.pid); ok {
			return p
		}
	}
	if p, ok := m.was.find(told); ok {
		return p
	}
	p := Process{Key: ProcessKey{PID: told.pid}, Name: told.name}
	app := m.apps.App(p)
	p.Bundle = &app
	return p
}

// acting is the process that owns what has has: has, or the one on whose behalf it acts, and then that is the first reason why.
func (m *macProcs) acting(has, behalf macProcess) Process {
	if has.pid == 0 && behalf.pid != 0 {
		has = behalf // who has the socket is not known
	}
	if behalf.pid == 0 || behalf.pid == has.pid {
		return m.named(has)
	}
	return actsFor(has.pid, m.named(has), m.named(behalf))
}
