package pidmap

import (
	"bytes"
	"strings"
)

// environValue finds a variable in /proc/PID/environ.
func environValue(b []byte, name string) string {
	for pair := range bytes.SplitSeq(b, []byte{0}) {
		if key, value, ok := strings.Cut(string(pair), "="); ok && key == name {
			return value
		}
	}
	return ""
}

// flatpakID is the name in the group [Application] of /.flatpak-info (flatpak-metadata(5)). [Runtime] has one too.
func flatpakID(b []byte) string {
	inside := false
	for line := range bytes.Lines(b) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			inside = text == "[Application]"
		}
		if name, ok := strings.CutPrefix(text, "name="); ok && inside {
			return name
		}
	}
	return ""
}

// maxArguments is how many arguments are kept of an ancestor: enough to find its script.
const maxArguments = 16

// arguments are the first of /proc/PID/cmdline.
func arguments(b []byte) []string {
	var list []string
	for arg := range strings.SplitSeq(strings.TrimSuffix(string(b), "\x00"), "\x00") {
		if len(list) == maxArguments {
			break
		}
		list = append(list, arg)
	}
	return list
}
