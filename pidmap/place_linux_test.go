package pidmap

import (
	"os"
	"path/filepath"
	"testing"
)

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestReadDesktops(t *testing.T) {
	root := t.TempDir()
	system, local, bin := filepath.Join(root, "system"), filepath.Join(root, "local"), filepath.Join(root, "bin")
	program := filepath.Join(root, "opt", "maps-1", "maps")
	writeFile(t, program, "")
	writeFile(t, filepath.Join(bin, "other"), "")
	if err := os.Symlink(program, filepath.Join(bin, "maps")); err != nil {
		t.Fatal(err)
	}
	entry := func(name, exec string) string {
		return "[Desktop Entry]\nType=Application\nName=" + name + "\nExec=" + exec + "\n"
	}
	writeFile(t, filepath.Join(local, "maps.desktop"), entry("Maps", "maps %U"))
	writeFile(t, filepath.Join(system, "maps.desktop"), entry("Shadowed", "other"))
	writeFile(t, filepath.Join(system, "kde", "gone.desktop"), entry("Gone", "gone"))
	if err := os.Symlink("/dev/zero", filepath.Join(system, "endless.desktop")); err != nil {
		t.Fatal(err)
	}
	index := readDesktops([]string{local, system, filepath.Join(root, "absent")}, []string{bin})
	real, err := filepath.EvalSymlinks(program)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := index[real], (DesktopEntry{ID: "maps", Name: "Maps"}); got != want || len(index) != 1 {
		t.Errorf("readDesktops = %+v, want %s to be %+v and nothing else", index, real, want)
	}
}

func TestDockerName(t *testing.T) {
	root := t.TempDir()
	p := &procfs{dockerRoot: root, containers: map[string]string{}}
	writeFile(t, filepath.Join(root, testContainer, "config.v2.json"), `{"ID":"x","Name":"/web"}`)
	writeFile(t, filepath.Join(root, "broken", "config.v2.json"), `{"Name":`)
	for id, want := range map[string]string{testContainer: "web", "broken": "", "absent": ""} {
		for range 2 { // read, then remembered
			if got := p.dockerName(id); got != want {
				t.Errorf("dockerName(%s) = %q, want %q", id, got, want)
			}
		}
	}
}

// This test's own process: what it starts from is beside it, and go test's parent is no part of it.
func TestPlaceOfOneself(t *testing.T) {
	p, err := newProcfs(defaultRoot)
	if err != nil {
		t.Skipf("no process table: %v", err)
	}
	d, err := p.open(int32(os.Getpid()))
	if err != nil {
		t.Skipf("own process not readable: %v", err)
	}
	defer d.close()
	got, err := p.describe(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cgroup != p.own || got.Beside != (p.own != "") {
		t.Errorf("own process: cgroup %q, beside %v, want %q", got.Cgroup, got.Beside, p.own)
	}
	if app := AppOf(got); app.Kind != "executable" {
		t.Errorf("AppOf = %+v, want an executable", app)
	}
}
