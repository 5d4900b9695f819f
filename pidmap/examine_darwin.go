package pidmap

import (
	"strconv"

	"golang.org/x/sys/unix"

	"apptap/pidmap/nettop"
)

// ExamineSystem examines this Mac.
func ExamineSystem() *MacExamination {
	system := thisMac()
	system.Nettop, system.Talk = nettop.Run, selfTalk
	x := Examine(system)
	x.System = map[string]string{}
	for _, name := range [...]string{"kern.osproductversion", "kern.osversion", "kern.osrelease", "hw.machine", "hw.model"} {
		if value, err := unix.Sysctl(name); err == nil {
			x.System[name] = value
		}
	}
	for _, name := range [...]string{"kern.ipc.maxsockbuf", "debug.bpf_maxbufsize", "debug.bpf_bufsize_cap", "net.statistics_privcheck"} {
		if value, err := unix.SysctlUint32(name); err == nil {
			x.System[name] = strconv.FormatUint(uint64(value), 10)
		}
	}
	x.System["hw.tbfrequency"] = strconv.FormatUint(system.Ticks, 10)
	return x
}
