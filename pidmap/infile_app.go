package pidmap

import (
	"bytes"

	"apptap/flows"
	"apptap/pidmap/bundle"
)

// eitherSide is the side of a key whose process may be at either end, and whether its local end is key's remote one.
func eitherSide(key flows.Key) (at side, turned bool) {
	if turned = compareEndpoints(key.Remote, key.Local) < 0; turned {
		key = key.Reverse()
	}
	return side{key, true}, turned
}

func compareEndpoints(a, b flows.Endpoint) int {
	if c := bytes.Compare(a.Addr[:], b.Addr[:]); c != 0 {
		return c
	}
	return int(a.Port) - int(b.Port)
}

// app names the app of a process that a file tells of. Apple's captures are of Macs, the others of any system: only a bundle in
// the path says that it was one.
func (f *InFile) app(s *Sighting) App {
	if s.Method == MethodPKTAP || s.Method == MethodProcessBlock || s.Method == MethodMatrixNet {
		return f.apps.App(*s.Process)
	}
	if _, ok := bundle.App(s.Process.Path); ok {
		return f.apps.App(*s.Process)
	}
	return AppOf(*s.Process)
}

// name notes a process that has a name: a packet may give a PID before the file says what it is.
func (f *InFile) name(p *Process) {
	if p.Name == "" && p.Path == "" || len(f.named) >= maxNamed {
		return
	}
	if _, ok := f.named[p.Key.PID]; !ok {
		f.named[p.Key.PID] = p
	}
}

// complete names the process of r if only its PID was known when its packets were read, and its name is by now.
func (f *InFile) complete(r *stated) {
	if r.process.Name != "" || r.process.Path != "" {
		return
	}
	if p := f.named[r.process.Key.PID]; p != nil {
		r.process = p
		r.app = f.app(&Sighting{Process: p, Method: r.method})
	}
}
