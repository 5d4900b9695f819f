package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are those of fixtures that tests run beside apptap, built when a test first wants them and once for all: to link one takes
// seconds. apptap itself is the test binary under another name.
type programs struct {
	mutex sync.Mutex // guards what follows: tests may be parallel
	dir   string     // "" until the first is built
	built map[string]error
}

var fixturePrograms = programs{built: map[string]error{}}

// path is where a program of fixtures is, "client" for fixtures/client.
func (p *programs) path(name string) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "apptap-programs-*")
		if err == nil {
			err = os.Chmod(dir, 0o755) // programs run as users without rights too
		}
		if err != nil {
			return "", err
		}
		p.dir = dir
	}
	path := filepath.Join(p.dir, name)
	err, done := p.built[name]
	if !done {
		c := exec.Command("go", "build", "-o", path, "apptap/fixtures/"+name)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, failed := c.CombinedOutput(); failed != nil {
			err = fmt.Errorf("build %s: %w: %s", name, failed, out)
		}
		p.built[name] = err
	}
	return path, err
}

func (p *programs) remove() {
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

// build is the path of a program of fixtures; the test is skipped where there is no Go to build it.
func build(t *testing.T, name string) string {
	t.Helper()
	path, err := fixturePrograms.path(name)
	if err != nil {
		t.Skipf("not to be built here: %v", err)
	}
	return path
}

// withPrograms runs the tests and removes what they have built.
type withPrograms struct{ *testing.M }

// Run implements what testscript.Main wants.
func (m withPrograms) Run() int {
	defer fixturePrograms.remove()
	return m.M.Run()
}
