package pidmap

import (
	"strings"
)

const (
	containerID = 64 // hexadecimal digits
	shortID     = 12 // as docker ps shows it
)

// container is what a cgroup's path says of one: its runtime, its id or name, its pod.
type container struct {
	runtime, id, name, pod string
}

// containerApp folds everything in a container into it, and the containers of a Kubernetes pod into the pod.
func containerApp(s subject) (App, bool) {
	c, ok := containerOf(cgroupParts(s.Process))
	if !ok {
		return App{}, false
	}
	a := App{Kind: "container", Path: s.exe}
	switch {
	case c.pod != "":
		a.ID, a.Name = "pod:"+c.pod, "pod "+c.pod
		a.Why = []string{"cgroup of Kubernetes pod " + c.pod}
		if c.id != "" {
			a.Why = append(a.Why, c.runtime+" container "+short(c.id)+" of the pod")
		}
		if s.Container != "" {
			a.Name, a.Why = s.Container, append(a.Why, "Kubernetes calls it "+s.Container)
		}
	case c.name != "":
		a.ID, a.Name, a.Why = c.runtime+":"+c.name, c.name, []string{"cgroup of " + c.runtime + " container " + c.name}
	default:
		a.ID, a.Name, a.Why = c.runtime+":"+short(c.id), c.runtime+" "+short(c.id), []string{"cgroup of " + c.runtime + " container " + short(c.id)}
		if s.Container != "" {
			a.Name, a.Why = s.Container, append(a.Why, "the runtime calls it "+s.Container)
		}
	}
	return a, true
}

func short(id string) string { return id[:min(len(id), shortID)] }

// containerOf finds the innermost container of a path, and the pod around it.
func containerOf(parts []string) (c container, ok bool) {
	for i := len(parts) - 1; i >= 0; i-- {
		part := parts[i]
		outer := ""
		if i > 0 {
			outer = parts[i-1]
		}
		if !ok {
			c, ok = containerPart(outer, part)
		}
		if uid := podOf(part); uid != "" && (c.name == "" || !ok) {
			c.pod = uid
			return c, true
		}
	}
	return c, ok
}

// containerPart reads one directory, as the runtimes name them for systemd (RUNTIME-ID.scope) and for plain cgroups
// (RUNTIME/ID).
func containerPart(outer, part string) (container, bool) {
	if name := machineName(outer, part); name.name != "" {
		return name, true
	}
	stem := strings.TrimSuffix(part, ".scope")
	if i := strings.LastIndexByte(stem, ':'); i >= 0 { // SLICE:RUNTIME:ID, a runtime told wrongly that there is systemd
		prefix := stem[:i]
		stem = prefix[strings.LastIndexByte(prefix, ':')+1:] + "-" + stem[i+1:]
	}
	prefix, id := "", stem
	if i := strings.LastIndexByte(stem, '-'); i >= 0 {
		prefix, id = stem[:i], stem[i+1:]
	}
	if len(id) != containerID || !isHex(id) || strings.HasSuffix(prefix, "conmon") {
		return container{}, false
	}
	return container{runtime: runtimeOf(prefix, outer), id: id}, true
}

func runtimeOf(prefix, outer string) string {
	switch {
	case prefix == "docker", prefix == "" && (outer == "docker" || outer == "buildkit"):
		return "docker"
	case prefix == "cri-containerd", prefix == "nerdctl", prefix == "containerd":
		return "containerd"
	case strings.HasPrefix(prefix, "libpod"):
		return "podman"
	case prefix == "crio", prefix == "cri-o":
		return "crio"
	}
	return "container"
}

// machineName knows containers and virtual machines that go by a name: those of LXC, Incus, systemd-nspawn and machined.
func machineName(outer, part string) container {
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok {
		return container{runtime: "lxc", name: name}
	}
	if outer == "lxc" || outer == "lxc.payload" {
		return container{runtime: "lxc", name: part}
	}
	if name, ok := cutBoth(part, "systemd-nspawn@", ".service"); ok {
		return container{runtime: "nspawn", name: unescapeUnit(name)}
	}
	if name, ok := cutBoth(part, "machine-", ".scope"); ok {
		return container{runtime: "machine", name: unescapeUnit(name)}
	}
	return container{}
}

// podOf is the uid of a Kubernetes pod: podUID, or SLICE-podUID.slice where systemd's names have "_" for "-".
func podOf(part string) string {
	part, slice := strings.CutSuffix(part, ".slice")
	if slice {
		i := strings.LastIndex(part, "-pod")
		if i < 0 || !strings.HasPrefix(part, "kubepods") && !strings.HasPrefix(part, "kubelet") {
			return ""
		}
		return podUID(strings.ReplaceAll(part[i+len("-pod"):], "_", "-"))
	}
	if i := strings.IndexByte(part, ':'); i >= 0 { // SLICE:RUNTIME:ID
		return podOf(part[:i])
	}
	uid, ok := strings.CutPrefix(part, "pod")
	if !ok {
		return ""
	}
	return podUID(uid)
}

// podUID is text if it can be a pod's: a UUID, or the 32 digits of a static pod.
func podUID(text string) string {
	if digits := strings.ReplaceAll(text, "-", ""); len(digits) != 32 || !isHex(digits) {
		return ""
	}
	return text
}

func cutBoth(s, prefix, suffix string) (string, bool) {
	s, begins := strings.CutPrefix(s, prefix)
	s, ends := strings.CutSuffix(s, suffix)
	return s, begins && ends && s != ""
}

func isHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }
