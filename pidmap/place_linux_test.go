package pidmap

import (
	"os"
	"path/filepath"
	"strings"
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

// TestContainerName asks the files that the runtimes keep, each as its own writes them.
func TestContainerName(t *testing.T) {
	root := t.TempDir()
	id := func(digit string) string { return strings.Repeat(digit, containerID) }
	const uid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
	for file, text := range map[string]string{
		"var/lib/docker/containers/" + id("a") + "/config.v2.json": `{"ID":"x","Name":"/web","Config":{"Image":"nginx"}}`,
		"var/lib/docker/containers/" + id("b") + "/config.v2.json": `{"Name":`,
		"var/lib/containers/storage/overlay-containers/containers.json": `[{"id":"` + id("c") + `","names":["db","database"],"image":"1"},` +
			`{"id":"` + id("d") + `","metadata":"{}"},{"id":"` + id("e") + `","names":["k8s_proxy_edge-1_prod_` + uid + `_0"]}]`,
		"home/someone/.local/share/containers/storage/overlay-containers/containers.json":  `[{"id":"` + id("1") + `","names":["notebook"]}]`,
		"run/containerd/io.containerd.runtime.v2.task/default/" + id("2") + "/config.json": `{"ociVersion":"1.1.0","annotations":{"nerdctl/name":"cache"}}`,
		"run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id("3") + "/config.json": `{"annotations":{"io.kubernetes.cri.container-name":"app",` +
			`"io.kubernetes.cri.sandbox-name":"shop-7d9f","io.kubernetes.cri.sandbox-namespace":"prod"}}`,
		"var/lib/containers/storage/overlay-containers/" + id("4") + "/userdata/config.json": `{"annotations":{"io.kubernetes.pod.name":"mail-0",` +
			`"io.kubernetes.pod.namespace":"office","io.kubernetes.container.name":"smtp"}}`,
		"var/log/pods/kube-system_coredns-5d78c_" + uid + "/coredns/0.log": "",
	} {
		writeFile(t, filepath.Join(root, file), text)
	}
	p := &procfs{hostRoot: root, containers: map[string]string{}, homes: func(uid uint32) string {
		return map[uint32]string{1000: "home/someone"}[uid]
	}}
	const other = "11111111-2222-3333-4444-555555555555"
	for _, tt := range []struct{ cgroup, want string }{
		{"/system.slice/docker-" + id("a") + ".scope", "web"},
		{"/docker/" + id("a"), "web"},
		{"/docker/" + id("b"), ""},
		{"/docker/" + id("9"), ""},
		{"/machine.slice/libpod-" + id("c") + ".scope/container", "db"},
		{"/machine.slice/libpod-" + id("d") + ".scope", ""},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id("1") + ".scope", "notebook"},
		{"/system.slice/nerdctl-" + id("2") + ".scope", "cache"},
		{"/default/" + id("2"), "cache"},
		{"/system.slice/cri-containerd-" + id("3") + ".scope", "app"},
		{"/somewhere/" + id("a"), "web"},
		{"/kubepods.slice/kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-" + id("8") + ".scope", "kube-system/coredns-5d78c"},
		{"/kubepods/burstable/pod" + uid + "/" + id("8"), "kube-system/coredns-5d78c"},
		{"/kubepods/besteffort/pod" + other + "/" + id("3"), "prod/shop-7d9f"},
		{"/kubepods.slice/kubepods-pod22222222_2222_3333_4444_555555555555.slice/crio-" + id("4") + ".scope", "office/mail-0"},
		{"/kubepods/pod33333333-2222-3333-4444-555555555555/" + id("9"), ""},
		{"/system.slice/nginx.service", ""}, {"/", ""},
	} {
		for range 2 { // read, then remembered
			if got := p.containerName(Process{UID: 1000, Cgroup: tt.cgroup}); got != tt.want {
				t.Errorf("containerName(%s) = %q, want %q", tt.cgroup, got, tt.want)
			}
		}
	}
	pod := AppOf(Process{Path: "/app", Cgroup: "/kubepods/burstable/pod" + uid + "/" + id("8"), Container: "kube-system/coredns-5d78c"})
	if pod.ID != "pod:"+uid || pod.Name != "kube-system/coredns-5d78c" {
		t.Errorf("AppOf = %+v, want the pod by its name", pod)
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
