package pidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/process"
	"golang.org/x/sys/unix"
)

// defaultRoot is where proc(5) is mounted.
const defaultRoot = "/proc"

// procfs reads processes below a /proc-like root. It is not safe for concurrent use.
type procfs struct {
	root  string
	boot  int64             // nanoseconds since 1970 UTC, 0 = unknown
	users map[uint32]string // names by user id: each costs reading the password file
	link  []byte
	path  []byte
	dir   []byte

	own         string       // apptap's own cgroup
	desktopDirs []string     // where .desktop files are
	desktops    desktopIndex // nil until it is needed
	hostRoot    string       // below which container runtimes describe their containers
	homes       func(uid uint32) string
	containers  map[string]string // names by id of the container or pod
}

func newProcfs(root string) (*procfs, error) {
	p := &procfs{root: root, users: map[uint32]string{}, link: make([]byte, 64), path: make([]byte, unix.PathMax), dir: make([]byte, 32<<10),
		desktopDirs: desktopDirs(), hostRoot: "/", homes: homeOf, containers: map[string]string{}}
	if b, err := os.ReadFile(filepath.Join(root, "self", "cgroup")); err == nil {
		p.own = cgroupPath(b)
	}
	b, err := os.ReadFile(filepath.Join(root, "stat"))
	if err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	if p.boot, err = parseBootTime(b); err != nil {
		return nil, fmt.Errorf("read process table: %w", err)
	}
	return p, nil
}

// pids lists the processes of now.
func (p *procfs) pids() ([]int32, error) {
	dir, err := os.Open(p.root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	pids := make([]int32, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.ParseInt(name, 10, 32); err == nil && pid > 0 {
			pids = append(pids, int32(pid))
		}
	}
	return pids, nil
}

// procDir is an open /proc/PID. It belongs to one life of one process: once that process is gone every
// access fails, even when the PID is in use again. So whatever is read between open and a last successful read of stat
// is about the process of that stat, paths included, and no start time need be compared.
type procDir struct {
	fd  int
	pid int32
}

func (p *procfs) open(pid int32) (procDir, error) {
	name := filepath.Join(p.root, strconv.Itoa(int(pid)))
	fd, err := unix.Open(name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return procDir{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return procDir{fd, pid}, nil
}

func (d procDir) close() { unix.Close(d.fd) } // read only: nothing is lost

func (d procDir) read(name string) ([]byte, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	b := make([]byte, 4096) // stat and status are shorter
	n := 0
	for n < len(b) {
		got, err := unix.Read(fd, b[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if got == 0 {
			break
		}
		n += got
	}
	return b[:n], nil
}

func (d procDir) stat() (procStat, error) {
	b, err := d.read("stat")
	if err != nil {
		return procStat{}, err
	}
	return parseStat(b)
}

// appendSockets appends the inodes of the sockets that the process has open. The error is EACCES where that is not
// ours to see; what was read before a process ended is returned with the error.
func (p *procfs) appendSockets(dst []uint64, d procDir) ([]uint64, error) {
	fd, err := unix.Openat(d.fd, "fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dst, err
	}
	defer unix.Close(fd)
	var names []string
	for {
		n, err := unix.ReadDirent(fd, p.dir)
		if err != nil || n == 0 {
			return dst, err
		}
		_, _, names = unix.ParseDirent(p.dir[:n], -1, names[:0])
		for _, name := range names {
			n, err := unix.Readlinkat(fd, name, p.link)
			if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
				return dst, err
			}
			if err != nil {
				continue // closed since
			}
			if inode, ok := parseSocketLink(p.link[:n]); ok {
				dst = append(dst, inode)
			}
		}
	}
}

// describe reads what a person wants to know of a process. Whatever can no longer be read stays empty; only a
// process of which not even stat was there is an error.
func (p *procfs) describe(ctx context.Context, d procDir) (Process, error) {
	s, err := d.stat()
	if err != nil {
		return Process{}, fmt.Errorf("read process %d: %w", d.pid, err)
	}
	out := Process{
		Key:       ProcessKey{PID: d.pid, Start: s.start},
		StartTime: startTime(p.boot, s.start),
		PPID:      s.ppid,
		Name:      s.comm,
	}
	out.Path = p.executable(d)
	ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{common.HostProcEnvKey: p.root})
	ps := &process.Process{Pid: d.pid} // NewProcess would read four more files
	cmdline, _ := ps.CmdlineSliceWithContext(ctx)
	if _, err := d.stat(); err == nil {
		out.Cmdline = cmdline // gopsutil goes by path: the PID was not used again meanwhile
	}
	if b, err := d.read("status"); err == nil {
		if uid, err := parseStatusUID(b); err == nil {
			out.UID, out.User = uid, p.user(ctx, ps, uid)
		}
	}
	p.place(d, &out)
	return out, nil
}

// user is the name of a user id, or the number where it has none. gopsutil looks it up by process, so the answer
// is kept only if the process still has that id.
func (p *procfs) user(ctx context.Context, ps *process.Process, uid uint32) string {
	if name, ok := p.users[uid]; ok {
		return name
	}
	number := strconv.FormatUint(uint64(uid), 10)
	name, err := ps.UsernameWithContext(ctx)
	uids, uidErr := ps.UidsWithContext(ctx)
	if uidErr != nil || len(uids) == 0 || uint32(uids[0]) != uid {
		return number // gone, or changed: nothing learnt for the next one
	}
	if err != nil || name == "" {
		name = number
	}
	p.users[uid] = name
	return name
}

// executable reads where the program of a process is, "" if there is none or it is not ours to see. gopsutil
// would go by path, and this one is needed of the shortest-lived processes.
func (p *procfs) executable(d procDir) string {
	n, err := unix.Readlinkat(d.fd, "exe", p.path)
	if err != nil {
		return ""
	}
	return string(p.path[:n])
}
