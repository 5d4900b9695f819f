package live

import (
	"fmt"
	"os"
	"strings"
)

// NoInterfaceError says that there is no interface of that name, or, where Interface is "", none that
// could be chosen.
type NoInterfaceError struct {
	Interface string
	Available []string // what there is, in the operating system's order
}

func (e *NoInterfaceError) Error() string {
	there := "there is none at all"
	if len(e.Available) > 0 {
		there = "there are " + strings.Join(e.Available, ", ")
	}
	if e.Interface == "" {
		return "no interface is up and has an address: " + there
	}
	return fmt.Sprintf("no interface %s: %s", e.Interface, there)
}

// PermissionError says that this process may not capture. It wraps os.ErrPermission.
type PermissionError struct {
	Interface  string
	Executable string // path of this program, "" if it is not known
	Words      string // what libpcap said
}

func (e *PermissionError) Error() string {
	return fmt.Sprintf("capture on %s: %s", e.Interface, e.Words)
}

func (e *PermissionError) Unwrap() error { return os.ErrPermission }

// Hint is what to type to be allowed, on this operating system.
func (e *PermissionError) Hint() string { return permissionHint(e.Interface, e.Executable) }

// linuxHint names both ways: once as root, or for good by capabilities on the file. net_raw opens the
// packet socket, net_admin sets promiscuous mode; the others are for owners (docs/architecture.md), without whom there is no report by app.
func linuxHint(iface, executable string) string {
	if executable == "" {
		executable = "PATH-OF-APPTAP"
	}
	return fmt.Sprintf("sudo apptap capture -i %s, or once: sudo setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep %s",
		shellWord(iface), shellWord(executable))
}

// darwinHint: /dev/bpf* belongs to root, and Wireshark's ChmodBPF gives it to the group access_bpf.
func darwinHint(iface string) string {
	return fmt.Sprintf("/dev/bpf* are root's: sudo apptap capture -i %s, or once: install Wireshark's ChmodBPF, which gives them to its group access_bpf",
		shellWord(iface))
}

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
