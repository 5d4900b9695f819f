package pidmap

import (
	"path"
	"slices"
	"strings"
)

// unitApp folds a service of systemd, all instances of a template together.
func unitApp(s subject) (App, bool) {
	name, suffix := innermostUnit(s.Process)
	if suffix != ".service" {
		return App{}, false // a scope is somebody's session
	}
	stem, _, template := strings.Cut(name, "@")
	stem = unescapeUnit(stem)
	if !isOwnUnit(stem, s.exe) {
		return App{}, false
	}
	a := App{ID: "unit:" + stem + ".service", Name: stem, Kind: "unit", Path: s.exe, Why: []string{"systemd unit " + name + suffix}}
	if template {
		a.Why = append(a.Why, "instances of "+stem+"@ are one app")
	}
	return a, true
}

// isOwnUnit says whether a unit's programs are the unit's own. A user's manager and transient units (systemd-run)
// say nothing of what they run; cron, D-Bus and logins run other people's programs inside their own.
func isOwnUnit(stem, exe string) bool {
	if stem == "" || stem == "user" || strings.HasPrefix(stem, "run-") {
		return false
	}
	switch stem {
	case "cron", "crond", "cronie", "anacron", "atd", "dbus", "dbus-broker", "ssh", "sshd", "getty", "serial-getty", "console-getty",
		"gdm", "gdm3", "sddm", "lightdm", "greetd", "display-manager", "xinetd", "tmux", "screen":
		return isDaemonOf(stem, path.Base(exe))
	}
	return true
}

// isDaemonOf knows the program of a unit that has the program's name, but for letters at its end: ssh.service runs sshd
// and sshd-session, sshd.service too.
func isDaemonOf(stem, program string) bool {
	if stem == "getty" || strings.HasSuffix(stem, "-getty") {
		return slices.Contains([]string{"agetty", "getty", "mingetty"}, program)
	}
	stem = strings.TrimRight(stem, "0123456789")
	return strings.HasPrefix(program, stem) && (stem != "ssh" || program != "ssh" && strings.HasPrefix(program, "sshd"))
}
