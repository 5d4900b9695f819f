//go:build amd64 || arm64

package bpf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupRoot finds where the cgroup v2 hierarchy is mounted: programs attached to its root see every process.
func cgroupRoot() (string, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", fmt.Errorf("find cgroup v2: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		// fstab(5): device, mount point, type
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("find cgroup v2: it is not mounted: %w", errors.ErrUnsupported)
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
	below, ok := strings.CutPrefix(path, root.Name())
	switch {
	case !ok:
		return ""
	case below == "":
		return "/"
	}
	return strings.TrimSuffix(below, " (deleted)")
}
