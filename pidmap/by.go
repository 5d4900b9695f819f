package pidmap

import (
	"fmt"
	"slices"
	"strings"

	"apptap/flows"
)

// By is what a report sums by instead of apps.
type By string

// What can be summed by. ByApp changes nothing.
const (
	ByApp        By = "app"
	ByProcess    By = "process"
	ByExecutable By = "executable"
	ByUnit       By = "unit"      // systemd's; what is in none stays its app
	ByContainer  By = "container" // and pod; what is in none stays its app
	ByUser       By = "user"
)

// Group replaces the apps of an attribution by what is summed by. What has no owner stays as it is, and so does an app of
// which no process is known. It returns a copy where it changes something.
func (by By) Group(a Attribution) Attribution {
	if by == ByApp || by == "" {
		return a
	}
	if len(a.Turns) > 0 {
		return by.groupTurns(a)
	}
	if !a.Known() {
		return a
	}
	a.App = by.group(a.App, a.Process)
	if len(a.Shares) == 0 {
		return a
	}
	shares := make([]Share, len(a.Shares))
	for i, s := range a.Shares {
		shares[i] = s
		shares[i].App = by.group(s.App, s.Process)
	}
	a.Shares = shares
	return a
}

// Asked says who owned a 5-tuple: History.Owner.
type Asked = func(key flows.Key, initiator flows.Initiator, first, last int64) Attribution

// Owner asks and regroups the answer. Nil stays nil.
func (by By) Owner(ask Asked) Asked {
	if ask == nil || by == ByApp || by == "" {
		return ask
	}
	return func(key flows.Key, initiator flows.Initiator, first, last int64) Attribution {
		return by.Group(ask(key, initiator, first, last))
	}
}

// groupTurns is Group for sockets in turn. What is one now owns the flow.
func (by By) groupTurns(a Attribution) Attribution {
	a.Turns = slices.Clone(a.Turns)
	var shares []Share
	for i := range a.Turns {
		t := &a.Turns[i]
		t.App = by.group(t.App, t.Process)
		shares = addShare(shares, mover{program: &program{t.Process, t.App}, moved: t.Moved})
	}
	if slices.ContainsFunc(shares, func(s Share) bool { return s.App.ID != shares[0].App.ID }) {
		return a
	}
	one := sharedOwner(shares)
	one.Translated, one.Foreign = a.Translated, a.Foreign
	return one
}

func (by By) group(app App, p Process) App {
	if app.Kind == "kernel" || p.Key.PID == 0 {
		return app
	}
	p.Beside = false // somebody asked for this unit or container
	s := subject{p, strings.TrimSuffix(p.Path, " (deleted)")}
	switch by {
	case ByProcess:
		return processApp(s)
	case ByExecutable:
		return executableApp(s)
	case ByUnit:
		return orApp(app, s, unitOf)
	case ByContainer:
		return orApp(app, s, containerApp)
	case ByUser:
		return userApp(p)
	}
	return app
}

func orApp(app App, s subject, r rule) App {
	if a, ok := r(s); ok {
		return a
	}
	return app
}

func processApp(s subject) App {
	name := executableApp(s).Name
	return App{
		ID:   fmt.Sprintf("process:%d:%d", s.Key.PID, s.Key.Start),
		Name: fmt.Sprintf("%s (%d)", name, s.Key.PID), Kind: "process", Path: s.exe, Why: []string{"summed by process"},
	}
}

func userApp(p Process) App {
	if p.User == "" {
		return App{ID: "user:", Name: "user not known", Kind: "user", Why: []string{"summed by user; that of the process could not be read"}}
	}
	return App{ID: "user:" + p.User, Name: p.User, Kind: "user", Why: []string{"summed by user"}}
}

// unitOf is the unit of a process, whatever runs it: also one that says nothing of the app.
func unitOf(s subject) (App, bool) {
	if a, ok := unitApp(s); ok {
		return a, true
	}
	name, suffix := innermostUnit(s.Process)
	if name == "" {
		return App{}, false
	}
	name = unescapeUnit(name) + suffix
	return App{ID: "unit:" + name, Name: name, Kind: "unit", Why: []string{"systemd unit " + name}}, true
}
