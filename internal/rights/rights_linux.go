package rights

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"kernel.org/pub/linux/libs/security/libcap/psx"
)

const (
	capVersion3   = 0x20080522 // _LINUX_CAPABILITY_VERSION_3: 64 bits in two halves, linux/capability.h
	setNoNewPrivs = 38         // PR_SET_NO_NEW_PRIVS, linux/prctl.h
)

type capHeader struct {
	version uint32
	pid     int32 // 0 = the calling thread
}

// capHalf is struct __user_cap_data_struct; the second of two has the capabilities from 32 on.
type capHalf struct {
	effective, permitted, inheritable uint32
}

// Keep gives up every capability of every thread but those in keep, for good: exec brings none back
// (PR_SET_NO_NEW_PRIVS). What the process does not have it does not get. It returns what is left. psx reaches the threads that C
// made too; without cgo it is syscall.AllThreadsSyscall.
func Keep(keep Set) (Set, error) {
	header := capHeader{version: capVersion3}
	var halves [2]capHalf
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&halves)), 0); errno != 0 {
		return 0, fmt.Errorf("read capabilities: %w", errno)
	}
	held := Set(halves[0].permitted) | Set(halves[1].permitted)<<32
	left := held & keep
	if _, _, errno := psx.Syscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return held, fmt.Errorf("forbid new privileges: %w", errno)
	}
	for i := range halves {
		half := uint32(left >> (32 * i))
		halves[i] = capHalf{effective: half, permitted: half, inheritable: 0}
	}
	if _, _, errno := psx.Syscall3(syscall.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&halves)), 0); errno != 0 {
		return held, fmt.Errorf("give up capabilities: %w", errno)
	}
	return left, nil
}

// Release is the kernel's, "" = unknown.
func Release() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
