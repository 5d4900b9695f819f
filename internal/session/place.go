package session

import "apptap/pidmap"

// placeRecord is what names the app of a process beside its executable: without it a replay would name another app.
type placeRecord struct {
	Beside    bool             `json:"beside,omitempty"`
	Ancestors []ancestorRecord `json:"ancestors,omitzero"`
	AppImage  text             `json:"appimage,omitempty"`
	Flatpak   text             `json:"flatpak,omitempty"`
	Container text             `json:"container,omitempty"`
	Desktop   desktopRecord    `json:"desktop,omitzero"`
}

type desktopRecord struct {
	ID   text `json:"id,omitempty"`
	Name text `json:"name,omitempty"`
}

type ancestorRecord struct {
	PID     int32         `json:"pid"`
	Start   uint64        `json:"start,omitempty"`
	Path    text          `json:"path,omitempty"`
	Cmdline []text        `json:"cmdline,omitzero"`
	Desktop desktopRecord `json:"desktop,omitzero"`
}

func placeRecordOf(p *pidmap.Process) placeRecord {
	r := placeRecord{
		Beside: p.Beside, AppImage: text(p.AppImage), Flatpak: text(p.Flatpak), Container: text(p.Container),
		Desktop: desktopRecord{text(p.Desktop.ID), text(p.Desktop.Name)},
	}
	for _, a := range p.Ancestors {
		r.Ancestors = append(r.Ancestors, ancestorRecord{a.Key.PID, a.Key.Start, text(a.Path), texts(a.Cmdline),
			desktopRecord{text(a.Desktop.ID), text(a.Desktop.Name)}})
	}
	return r
}

func (r *placeRecord) into(p *pidmap.Process) {
	p.Beside, p.AppImage, p.Flatpak, p.Container = r.Beside, string(r.AppImage), string(r.Flatpak), string(r.Container)
	p.Desktop = r.Desktop.entry()
	for _, a := range r.Ancestors {
		p.Ancestors = append(p.Ancestors, pidmap.Ancestor{
			Key: pidmap.ProcessKey{PID: a.PID, Start: a.Start}, Path: string(a.Path), Cmdline: stringsOf(a.Cmdline), Desktop: a.Desktop.entry(),
		})
	}
}

func (r desktopRecord) entry() pidmap.DesktopEntry {
	return pidmap.DesktopEntry{ID: string(r.ID), Name: string(r.Name)}
}
