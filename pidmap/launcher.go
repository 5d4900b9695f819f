package pidmap

import "strings"

// isLauncher knows programs whose children are programs of their own: shells, what runs another command with something
// changed, what starts a session, multiplexers and the first process of a container or a system.
func isLauncher(base string) bool {
	switch strings.TrimRight(base, "0123456789.") {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox", "nu", "pwsh":
		return true
	case "sudo", "doas", "su", "runuser", "pkexec", "env", "timeout", "nohup", "xargs", "setsid", "nice", "ionice", "chrt", "taskset",
		"stdbuf", "time", "watch", "parallel", "flock", "chroot", "unshare", "nsenter", "ip", "setpriv", "numactl", "strace", "ltrace", "gdb",
		"script", "make", "firejail", "bwrap", "systemd-run", "dbus-run-session", "xvfb-run", "faketime", "proxychains", "torsocks":
		return true
	case "tini", "tini-static", "docker-init", "dumb-init", "catatonit", "s6-supervise", "runsv", "runit", "init", "systemd", "launchd",
		"supervisord", "containerd-shim", "containerd-shim-runc-v", "conmon", "runc", "crun", "sshd", "sshd-session", "login", "cron", "crond", "atd",
		"tmux", "tmux: server", "screen", "dtach", "gnome-session-binary", "gdm-x-session", "xinit":
		return true
	}
	return false
}
