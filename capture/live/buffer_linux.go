package live

import (
	"os"

	"golang.org/x/sys/unix"
)

// autoBuffer is the buffer's size for an interface of this machine.
func autoBuffer(name string) int {
	var memory uint64
	var system unix.Sysinfo_t
	if unix.Sysinfo(&system) == nil {
		memory = uint64(system.Totalram) * uint64(system.Unit)
	}
	text, _ := os.ReadFile("/sys/class/net/" + name + "/speed") // of lo, any and an interface that is down there is none
	return bufferBytes(memory, parseSpeed(string(text)))
}
