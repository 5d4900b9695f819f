package pidmap

import (
	"encoding/json"
	"strings"
)

// dockerName reads config.v2.json of Docker's data directory: what docker ps shows.
func dockerName(b []byte) string {
	var config struct{ Name string }
	if json.Unmarshal(b, &config) != nil {
		return ""
	}
	return strings.TrimPrefix(config.Name, "/")
}

// storageName finds a container in containers.json of containers/storage, which podman and CRI-O share.
func storageName(b []byte, id string) string {
	var list []struct {
		ID    string   `json:"id"`
		Names []string `json:"names"`
	}
	if json.Unmarshal(b, &list) != nil {
		return ""
	}
	for _, c := range list {
		if c.ID == id && len(c.Names) > 0 {
			return c.Names[0]
		}
	}
	return ""
}

// bundleName reads the annotations in config.json of an OCI bundle (runtime-spec, config.md): the name that nerdctl gave, or
// that of a container of a pod.
func bundleName(b []byte) string {
	annotations := annotationsOf(b)
	return firstOf(annotations, "nerdctl/name", "io.kubernetes.cri.container-name", "io.kubernetes.container.name")
}

// bundlePod reads NAMESPACE/NAME of the pod from there, as containerd and CRI-O write it.
func bundlePod(b []byte) string {
	annotations := annotationsOf(b)
	name := firstOf(annotations, "io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
	namespace := firstOf(annotations, "io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
	if name == "" || namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func annotationsOf(b []byte) map[string]string {
	var config struct {
		Annotations map[string]string `json:"annotations"`
	}
	if json.Unmarshal(b, &config) != nil {
		return nil
	}
	return config.Annotations
}

func firstOf(values map[string]string, keys ...string) string {
	for _, key := range keys {
		if values[key] != "" {
			return values[key]
		}
	}
	return ""
}

// podOfLogs reads NAMESPACE/NAME from the name of a pod's directory of logs, NAMESPACE_NAME_UID; neither may have a "_" in it.
func podOfLogs(directory, uid string) string {
	rest, ok := strings.CutSuffix(directory, "_"+uid)
	namespace, name, both := strings.Cut(rest, "_")
	if !ok || !both || namespace == "" || name == "" {
		return ""
	}
	return namespace + "/" + name
}
