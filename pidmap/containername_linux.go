package pidmap

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// maxContainerList bounds a file that lists all containers, in bytes: each takes about a kilobyte.
const maxContainerList = 8 << 20

// The places of the runtimes' own files, below the root of the host.
const (
	dockerContainers = "var/lib/docker/containers"
	storage          = "var/lib/containers/storage/overlay-containers"
	storageOfUser    = ".local/share/containers/storage/overlay-containers"
	bundles          = "run/containerd/io.containerd.runtime.v2.task" // NAMESPACE/ID below it
	podLogs          = "var/log/pods"
)

// containerName is what the runtime calls the container or the pod of a process, "" if it does not tell or only tells others.
func (p *procfs) containerName(of Process) string {
	c, ok := containerOf(cgroupParts(of))
	if !ok || c.id == "" && c.pod == "" {
		return ""
	}
	key := c.pod
	if key == "" {
		key = c.id
	}
	if name, ok := p.containers[key]; ok {
		return name
	}
	name := ""
	if c.pod != "" {
		name = p.podName(c)
	} else {
		name = p.nameOf(c, of.UID)
	}
	if len(p.containers) < maxContainers {
		p.containers[key] = name
	}
	return name
}

// nameOf asks the runtime that the cgroup names; all of them where it names none.
func (p *procfs) nameOf(c container, uid uint32) string {
	any := c.runtime == "container"
	if any || c.runtime == "docker" {
		if name := dockerName(p.hostFile(dockerContainers, c.id, "config.v2.json")); name != "" {
			return name
		}
	}
	if any || c.runtime == "podman" || c.runtime == "crio" {
		if name := storageName(p.hostFile(storage, "containers.json"), c.id); name != "" {
			return name
		}
		if home := p.homes(uid); home != "" {
			if name := storageName(p.hostFile(home, storageOfUser, "containers.json"), c.id); name != "" {
				return name
			}
		}
	}
	if any || c.runtime == "containerd" {
		return bundleName(p.bundle(c.id))
	}
	return ""
}

// podName asks the kubelet, by the names of the directories that it keeps logs in, and then the container's runtime.
func (p *procfs) podName(c container) string {
	entries, _ := os.ReadDir(filepath.Join(p.hostRoot, podLogs))
	for _, e := range entries {
		if name := podOfLogs(e.Name(), c.pod); name != "" {
			return name
		}
	}
	if c.id == "" {
		return ""
	}
	if name := bundlePod(p.bundle(c.id)); name != "" {
		return name
	}
	return bundlePod(p.hostFile(storage, c.id, "userdata", "config.json"))
}

// bundle is containerd's config.json of a container, in whichever of its namespaces.
func (p *procfs) bundle(id string) []byte {
	namespaces, _ := os.ReadDir(filepath.Join(p.hostRoot, bundles))
	for _, n := range namespaces {
		if b := p.hostFile(bundles, n.Name(), id, "config.json"); b != nil {
			return b
		}
	}
	return nil
}

// hostFile reads a file below the root of the host, nil if it is not there or not ours to see.
func (p *procfs) hostFile(path ...string) []byte {
	b, err := readSmall(filepath.Join(append([]string{p.hostRoot}, path...)...), maxContainerList)
	if err != nil {
		return nil
	}
	return b
}

// homeOf is a user's home, "" if he has none here.
func homeOf(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return ""
	}
	return u.HomeDir
}
