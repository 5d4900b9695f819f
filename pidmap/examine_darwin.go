package pidmap

import (
	"golang.org/x/sys/unix"

	"apptap/pidmap/nettop"
)

// ExamineSystem examines this Mac.
func ExamineSystem() *MacExamination {
	system := thisMac()
	system.Nettop = nettop.Run
	x := Examine(system)
	x.System = map[string]string{}
	for _, name := range [...]string{"kern.osproductversion", "kern.osversion", "kern.osrelease", "hw.machine", "hw.model"} {
		if value, err := unix.Sysctl(name); err == nil {
			x.System[name] = value
		}
	}
	return x
}
