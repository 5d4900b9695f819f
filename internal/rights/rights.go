// Package rights answers what a run may still do once everything is open: it gives up the capabilities
// that nothing needs any more. cmd calls it between the opening of the sources and the first packet. It never asks for
// rights, and it knows no room: whoever calls says what must stay.
package rights

import (
	"fmt"
	"strings"
)

// Capability is the number of one, as in linux/capability.h.
type Capability uint

// What may have to stay, numbered as in linux/capability.h.
const (
	DACOverride   Capability = 1
	DACReadSearch Capability = 2
	SysPtrace     Capability = 19
	BPF           Capability = 39
)

// Set is capabilities as the bits of /proc/PID/status.
type Set uint64

// Of is the set of these.
func Of(capabilities ...Capability) (s Set) {
	for _, c := range capabilities {
		s |= 1 << c
	}
	return s
}

// String names what a run may keep and numbers the rest, in getcap(8)'s manner.
func (s Set) String() string {
	names := map[Capability]string{
		DACOverride: "cap_dac_override", DACReadSearch: "cap_dac_read_search", SysPtrace: "cap_sys_ptrace", BPF: "cap_bpf",
	}
	var all []string
	for c := range Capability(64) {
		if s&(1<<c) == 0 {
			continue
		}
		name, ok := names[c]
		if !ok {
			name = fmt.Sprintf("cap_%d", c)
		}
		all = append(all, name)
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ",")
}

// ForCapture is what a capture needs after its start: the executables and descriptors of others' processes and the names of their
// cgroups. writes says that files are still to be made: root may own none of the folders it writes to, as under
// sudo. release is the kernel's (uname -r): before 6.0 bpf(2) refused even the lookup in an open map where
// kernel.unprivileged_bpf_disabled is set (mainline c8644cd0efe7 changed that); an unreadable release counts as old.
func ForCapture(writes bool, release string) Set {
	s := Of(SysPtrace, DACReadSearch)
	if writes {
		s |= Of(DACOverride)
	}
	var major int
	if _, err := fmt.Sscanf(release, "%d.", &major); err != nil || major < 6 {
		s |= Of(BPF)
	}
	return s
}
