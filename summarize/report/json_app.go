package report

import "apptap/summarize"

type jsonApp struct {
	App jsonAppName `json:"app"`
	jsonTotals
	Methods      map[string]uint64 `json:"methods"`
	Processes    []jsonProcess     `json:"processes"`
	Destinations []jsonDestination `json:"destinations"`
	Others       jsonOthers        `json:"other_destinations"`
	Rest         jsonRest          `json:"other_processes"`
	Kernel       *jsonKernel       `json:"kernel"` // null where the kernel's counters were not available
	Missed       *jsonMissed       `json:"missed"` // null where nothing was
}

type jsonAppName struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Kind string   `json:"kind"`
	Path string   `json:"path"`
	Why  []string `json:"why"`
}

type jsonProcess struct {
	PID     int32   `json:"pid"`
	Start   *string `json:"start"` // null where it is not known
	Name    string  `json:"name"`
	Path    string  `json:"path"`
	Cmdline string  `json:"cmdline"`
	PPID    int32   `json:"ppid"`
	User    string  `json:"user"`
	jsonTotals
}

type jsonDestination struct {
	Name       string   `json:"name"`
	Reading    string   `json:"name_unicode,omitempty"`
	NameSource string   `json:"name_source"`
	Addresses  []string `json:"addresses"`
	Proto      string   `json:"proto"`
	Port       uint16   `json:"port"`
	Service    string   `json:"service"`
	Inbound    bool     `json:"inbound"`
	PeerApp    string   `json:"peer_app"`
	jsonTotals
	Times *jsonTimes `json:"times"` // null where nothing is known
}

// jsonOthers are the destinations that are not listed.
type jsonOthers struct {
	Destinations int `json:"destinations"`
	jsonTotals
}

// jsonRest are the processes that are not listed.
type jsonRest struct {
	Processes int `json:"processes"`
	jsonTotals
}

// jsonAppOf leaves the destinations to spliceLists.
func jsonAppOf(a summarize.AppUse) jsonApp {
	return jsonApp{
		App:          jsonAppName{a.App.ID, a.App.Name, a.App.Kind, a.App.Path, each(a.App.Why, same)},
		jsonTotals:   jsonTotalsOf(a.Totals),
		Methods:      byName(a.Methods),
		Processes:    each(a.Processes, jsonProcessOf),
		Destinations: []jsonDestination{},
		Others:       jsonOthersOf(a.OtherDestinations),
		Rest:         jsonRest{a.OtherProcesses.Processes, jsonTotalsOf(a.OtherProcesses.Totals)},
		Kernel:       jsonKernelOf(a.Kernel),
		Missed:       jsonMissedOf(a.Missed),
	}
}

func jsonProcessOf(use summarize.ProcessUse) jsonProcess {
	p := use.Process
	return jsonProcess{
		PID: p.Key.PID, Start: jsonTime(p.StartTime), Name: p.Name, Path: p.Path, Cmdline: jsonCommand(p),
		PPID: p.PPID, User: p.User, jsonTotals: jsonTotalsOf(use.Totals),
	}
}

func jsonOthersOf(o summarize.OtherDestinations) jsonOthers {
	return jsonOthers{o.Destinations, jsonTotalsOf(o.Totals)}
}
