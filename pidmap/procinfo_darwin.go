package pidmap

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// procInfo is proc_info(2), a system call that has no header but the same number since macOS 10.5; libproc is a wrapper
// around it that hides errors.
func procInfo(number, pid, flavor int32, arg uint64, buf []byte) (int, error) {
	n, _, errno := syscall.Syscall6(unix.SYS_PROC_INFO, uintptr(number), uintptr(pid), uintptr(flavor), uintptr(arg),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// refusedByMac says whether a process is not ours to see.
func refusedByMac(err error) bool { return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) }
