package anonymize

import (
	"strconv"

	"apptap/pidmap"
)

// process is what stays of a process: its app as it was known, its executable, numbers. Arguments, the user's name and the processes
// above are left out.
func (m *Mapper) process(p *pidmap.Process) pidmap.Process {
	if p.Key == (pidmap.ProcessKey{}) && p.Name == "" && p.Path == "" {
		return *p
	}
	m.know(p.User, p.UID)
	app := p.Bundle
	if app == nil {
		named := pidmap.AppOf(*p)
		app = &named
	}
	q := pidmap.Process{
		Key: p.Key, StartTime: p.StartTime, PPID: p.PPID, UID: p.UID, Name: m.Text(p.Name), Path: m.Text(p.Path),
		Cgroup: m.Text(p.Cgroup), Beside: p.Beside, AppImage: m.Text(p.AppImage), Flatpak: p.Flatpak, Container: m.Text(p.Container),
		Desktop: p.Desktop,
		Bundle:  &pidmap.App{ID: m.Text(app.ID), Name: m.Text(app.Name), Kind: app.Kind, Path: m.Text(app.Path), Why: m.texts(app.Why)},
	}
	if p.User != "" {
		q.User = strconv.FormatUint(uint64(p.UID), 10)
	}
	return q
}

func (m *Mapper) processes(list []pidmap.Process) []pidmap.Process {
	if list == nil {
		return nil
	}
	out := make([]pidmap.Process, len(list))
	for i := range list {
		out[i] = m.process(&list[i])
	}
	return out
}
