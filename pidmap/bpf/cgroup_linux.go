//go:build amd64 || arm64

package bpf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openCgroupRoot opens the root of the cgroup v2 hierarchy: programs attached to it see every process. Where it is mounted
// nowhere in sight, as in what ip-netns(8) starts, a mount that nobody else sees serves; it wants CAP_SYS_ADMIN.
func openCgroupRoot() (*os.File, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("find cgroup v2: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		// fstab(5): device, mount point, type
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[2] == "cgroup2" {
			if root, err := os.Open(fields[1]); err == nil {
				return root, nil
			} // hidden beneath a later mount, as of /sys in a namespace
		}
	}
	fs, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("find cgroup v2: it is not mounted, and mounting it: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("mount cgroup v2: %w", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount cgroup v2: %w", err)
	}
	return os.NewFile(uintptr(fd), "/"), nil
}

// fileKernfs is FILEID_KERNFS (include/linux/exportfs.h): a handle that is the id of a cgroup.
const fileKernfs = 0xfe

// cgroupPath is the path of a cgroup below the root by its id, "" if it is gone or not ours to see.
// It wants CAP_DAC_READ_SEARCH.
func cgroupPath(root *os.File, id uint64) string {
	handle := unix.NewFileHandle(fileKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(root.Fd()), handle, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return ""
	}
	below, ok := strings.CutPrefix(path, strings.TrimSuffix(root.Name(), "/"))
	switch {
	case !ok:
		return ""
	case below == "" || below == "/":
		return "/"
	}
	return strings.TrimSuffix(below, " (deleted)")
}
