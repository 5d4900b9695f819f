package pidmap

import (
	"io"
	"net"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// Watcher is what watches on this system.
type Watcher = MacWatcher

// Open prepares watching. The strings say what it cannot do here, each with the mend. Whoever opens a Watcher closes it.
func Open(Config) (*Watcher, []string, error) {
	w, degraded := OpenMac(thisMac())
	if os.Geteuid() != 0 {
		degraded = append(degraded, "sockets of other users' processes may have no owner; run as root: sudo apptap ...")
	}
	return w, degraded, nil
}

func thisMac() MacSystem {
	responsible, err := findResponsible()
	ticks, _ := unix.SysctlUint64("hw.tbfrequency") // 0: flows then begin when they are told of
	return MacSystem{
		Responsible: responsible, NoResponsible: err,
		Flows:    func() (io.ReadWriteCloser, error) { return openNtstat(macWakeInterval) },
		ProcInfo: procInfo, PCBs: func(name string) ([]byte, error) { return unix.SysctlRaw(name) }, Refused: refusedByMac, UserName: userName, Files: os.DirFS("/"),
		InterfaceName: interfaceName, Ticks: ticks,
	}
}

// interfaceName asks the system, which knows of interfaces that come and go.
func interfaceName(index uint32) string {
	i, err := net.InterfaceByIndex(int(index))
	if err != nil {
		return ""
	}
	return i.Name
}

func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// Probe tries each source once.
func Probe() []Check {
	w, _ := OpenMac(thisMac())
	defer w.Close()
	return w.Check()
}
