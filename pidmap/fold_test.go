package pidmap

import (
	"slices"
	"strings"
	"testing"
)

const testContainer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Lines as /proc/PID/cgroup has them.
func TestAppOfCgroup(t *testing.T) {
	const (
		id    = testContainer
		user  = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
		uid   = "3f1c0e5a-7d3a-4a5e-9f0b-0c5d6e7f8a9b"
		lowID = "3f1c0e5a_7d3a_4a5e_9f0b_0c5d6e7f8a9b"
	)
	tests := []struct{ line, exe, id, kind string }{
		// containers
		{"0::/system.slice/docker-" + id + ".scope", "/usr/bin/python3", "docker:0123456789ab", "container"},
		{"0::/docker/" + id, "/usr/sbin/nginx", "docker:0123456789ab", "container"},
		{"0::/docker/" + id + "/init.scope", "/usr/sbin/nginx", "docker:0123456789ab", "container"},
		{"0::/docker/buildkit/" + id, "/bin/sh", "docker:0123456789ab", "container"},
		{"0::/system.slice/docker-" + id + ".scope/system.slice/nginx.service", "/usr/sbin/nginx", "docker:0123456789ab", "container"},
		{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope", "/app", "docker:0123456789ab", "container"},
		{"12:pids:/docker/" + id + "\n1:name=systemd:/docker/" + id, "/app", "docker:0123456789ab", "container"},
		{"5:cpuset,memory:/docker/" + id, "/app", "docker:0123456789ab", "container"},
		{"1:name=systemd:/docker/" + id + "\n0::/", "/app", "docker:0123456789ab", "container"},
		{"0::/machine.slice/libpod-" + id + ".scope", "/app", "podman:0123456789ab", "container"},
		{"0::/machine.slice/libpod-" + id + ".scope/container", "/app", "podman:0123456789ab", "container"},
		{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope", "/app", "podman:0123456789ab", "container"},
		{"0::/libpod_parent/libpod-" + id, "/app", "podman:0123456789ab", "container"},
		{"0::/machine.slice/libpod-conmon-" + id + ".scope", "/usr/bin/conmon", "/usr/bin/conmon", "executable"},
		{"0::/system.slice/crio-" + id + ".scope", "/app", "crio:0123456789ab", "container"},
		{"0::/system.slice/crio-conmon-" + id + ".scope", "/usr/bin/conmon", "/usr/bin/conmon", "executable"},
		{"0::/system.slice/cri-containerd-" + id + ".scope", "/app", "containerd:0123456789ab", "container"},
		{"0::/user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-" + id + ".scope", "/app", "containerd:0123456789ab", "container"},
		{"0::/default/" + id, "/app", "container:0123456789ab", "container"},
		{"0::/ecs/89abcdef89abcdef89abcdef89abcdef/" + id, "/app", "container:0123456789ab", "container"},
		{"0::/lxc/web", "/usr/sbin/nginx", "lxc:web", "container"},
		{"0::/lxc.payload.web", "/usr/sbin/nginx", "lxc:web", "container"},
		{"0::/lxc.payload.web/system.slice/nginx.service", "/usr/sbin/nginx", "lxc:web", "container"},
		{"0::/lxc.payload/db/system.slice/postgresql@15-main.service", "/usr/lib/postgresql/15/bin/postgres", "lxc:db", "container"},
		{"0::/lxc.monitor.web", "/usr/bin/lxc-start", "/usr/bin/lxc-start", "executable"},
		{"0::/lxc.payload.outer/system.slice/docker-" + id + ".scope", "/app", "docker:0123456789ab", "container"},
		{"0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", "/usr/sbin/nginx", "nspawn:web", "container"},
		{"0::/machine.slice/systemd-nspawn@my\\x2dbox.service/payload", "/usr/bin/curl", "nspawn:my-box", "container"},
		{"0::/machine.slice/machine-fedora.scope", "/usr/bin/curl", "machine:fedora", "container"},
		{"0::/machine.slice/machine-qemu\\x2d1\\x2ddebian.scope/libvirt/emulator", "/usr/bin/qemu-system-x86_64", "machine:qemu-1-debian", "container"},
		// pods
		{"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + lowID + ".slice/cri-containerd-" + id + ".scope", "/app", "pod:" + uid, "container"},
		{"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + lowID + ".slice/crio-" + id + ".scope", "/app", "pod:" + uid, "container"},
		{"0::/kubepods.slice/kubepods-pod" + lowID + ".slice/cri-containerd-" + id + ".scope", "/app", "pod:" + uid, "container"},
		{"0::/kubepods/burstable/pod" + uid + "/" + id, "/app", "pod:" + uid, "container"},
		{"0::/kubepods/pod" + uid + "/" + id, "/app", "pod:" + uid, "container"},
		{"0::/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/" + id, "/app", "pod:0123456789abcdef0123456789abcdef", "container"},
		{"11:memory:/kubepods/besteffort/pod" + uid + "/" + id + "\n0::/", "/app", "pod:" + uid, "container"},
		{"0::/system.slice/containerd.service/kubepods-besteffort-pod" + lowID + ".slice:cri-containerd:" + id, "/app", "pod:" + uid, "container"},
		{"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + lowID + ".slice/cri-containerd-" + id + ".scope", "/app", "pod:" + uid, "container"},
		{"0::/kubepods/podcast/x", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/process_api/abbd7f27e1b031fab8c9296633749620", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		// flatpak, snap
		{user + "app-flatpak-org.mozilla.firefox-12345.scope", "/app/lib/firefox/firefox", "flatpak:org.mozilla.firefox", "flatpak"},
		{user + "app-flatpak-com.spotify.Client-998.scope", "/app/extra/share/spotify/spotify", "flatpak:com.spotify.Client", "flatpak"},
		{user + "app-flatpak-org.x.My\\x2dApp-1.scope", "/app/bin/a", "flatpak:org.x.My-App", "flatpak"},
		{user + "snap.firefox.firefox-0b5d7c0e-3d1b-4ed6-a6f8-0f5a8c5c2f5a.scope", "/snap/firefox/3836/usr/lib/firefox/firefox", "snap:firefox", "snap"},
		{user + "snap.code.code.8f3a7f4e-1b0d-4e60-98a5-1ad3f6f0b0a5.scope", "/snap/code/150/usr/share/code/code", "snap:code", "snap"},
		{"0::/system.slice/snap.lxd.daemon.service", "/snap/lxd/24322/bin/lxd", "snap:lxd", "snap"},
		{"0::/system.slice/snap.nextcloud.apache.service", "/snap/nextcloud/1/bin/httpd", "snap:nextcloud", "snap"},
		{"0::/", "/snap/chromium/2000/usr/lib/chromium-browser/chrome", "snap:chromium", "snap"},
		{"0::/", "/var/lib/snapd/snap/slack/61/usr/lib/slack/slack", "snap:slack", "snap"},
		{"0::/", "/snap/core20/1974/usr/bin/curl", "/snap/core20/1974/usr/bin/curl", "executable"},
		{"0::/", "/snap/bin/foo", "/snap/bin/foo", "executable"},
		{"0::/system.slice/snapd.service", "/usr/lib/snapd/snapd", "unit:snapd.service", "unit"},
		// desktop
		{user + "app-gnome-org.gnome.Maps-4242.scope", "/usr/bin/gjs", "desktop:org.gnome.Maps", "desktop"},
		{user + "app-gnome-firefox\\x2desr-77.scope", "/usr/lib/firefox-esr/firefox-esr", "desktop:firefox-esr", "desktop"},
		{user + "app-org.kde.kate-99.scope", "/usr/bin/kate", "desktop:org.kde.kate", "desktop"},
		{user + "app-org.kde.kate@0123456789abcdef0123456789abcdef.service", "/usr/bin/kate", "desktop:org.kde.kate", "desktop"},
		{user + "app-KDE-org.kde.dolphin@5ac1.service", "/usr/bin/dolphin", "desktop:org.kde.dolphin", "desktop"},
		{user + "app-nextcloud@autostart.service", "/usr/bin/nextcloud", "desktop:nextcloud", "desktop"},
		{user + "app-nextcloud-autostart.service", "/usr/bin/nextcloud", "desktop:nextcloud", "desktop"},
		{user + "app-gnome-steam-3f2a.scope", "/home/a/.steam/steam", "desktop:steam", "desktop"},
		{user + "dbus-:1.2-org.gnome.Calendar@0.service", "/usr/bin/gnome-calendar", "desktop:org.gnome.Calendar", "desktop"},
		{user + "app-org.gnome.Terminal.slice/vte-spawn-3c8b.scope", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{user + "app-gnome-org.gnome.Console-1.scope", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{user + "app-org.kde.konsole-8.scope", "/usr/bin/ssh", "/usr/bin/ssh", "executable"},
		{user + "app-kitty-8.scope", "/usr/bin/git", "/usr/bin/git", "executable"},
		{user + "app-alacritty-18.scope", "/usr/bin/git", "/usr/bin/git", "executable"},
		// units
		{"0::/system.slice/nginx.service", "/usr/sbin/nginx", "unit:nginx.service", "unit"},
		{"0::/system.slice/system-postgresql.slice/postgresql@15-main.service", "/usr/lib/postgresql/15/bin/postgres", "unit:postgresql.service", "unit"},
		{"0::/system.slice/system-openvpn.slice/openvpn@home.service", "/usr/sbin/openvpn", "unit:openvpn.service", "unit"},
		{"0::/system.slice/systemd-resolved.service", "/usr/lib/systemd/systemd-resolved", "unit:systemd-resolved.service", "unit"},
		{"0::/system.slice/foo\\x2dbar.service", "/opt/foo", "unit:foo-bar.service", "unit"},
		{"1:name=systemd:/system.slice/nginx.service", "/usr/sbin/nginx", "unit:nginx.service", "unit"},
		{"1:name=systemd:/system.slice/ntp.service\n0::/system.slice/ntp.service", "/usr/sbin/ntpd", "unit:ntp.service", "unit"},
		{"0::/system.slice/nginx.service (deleted)", "/usr/sbin/nginx", "unit:nginx.service", "unit"},
		{"0::/system.slice/nginx.service/worker", "/usr/sbin/nginx", "unit:nginx.service", "unit"},
		{user + "syncthing.service", "/usr/bin/syncthing", "unit:syncthing.service", "unit"},
		{"0::/user.slice/user-1000.slice/user@1000.service/session.slice/org.gnome.Shell@wayland.service", "/usr/bin/gnome-shell", "unit:org.gnome.Shell.service", "unit"},
		{"0::/system.slice/docker.service", "/usr/bin/docker-proxy", "unit:docker.service", "unit"},
		{"0::/system.slice/cron.service", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/system.slice/cron.service", "/usr/sbin/cron", "unit:cron.service", "unit"},
		{"0::/system.slice/ssh.service", "/usr/sbin/sshd", "unit:ssh.service", "unit"},
		{"0::/system.slice/ssh.service", "/usr/bin/ssh", "/usr/bin/ssh", "executable"},
		{"0::/system.slice/sshd.service", "/usr/bin/rsync", "/usr/bin/rsync", "executable"},
		{"0::/system.slice/system-getty.slice/getty@tty1.service", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/user.slice/user-1000.slice/user@1000.service/session.slice/dbus.service", "/usr/libexec/goa-daemon", "/usr/libexec/goa-daemon", "executable"},
		{"0::/user.slice/user-1000.slice/user@1000.service/init.scope", "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd", "executable"},
		{"0::/user.slice/user-1000.slice/user@1000.service", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/user.slice/user-1000.slice/session-3.scope", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/system.slice/run-r0123.service", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/system.slice/run-u12.scope", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"0::/init.scope", "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd", "executable"},
		{"0::/", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"", "/usr/bin/curl", "/usr/bin/curl", "executable"},
		{"rubbish\n::\n0:", "/usr/bin/curl", "/usr/bin/curl", "executable"},
	}
	for _, tt := range tests {
		p := Process{Key: ProcessKey{PID: 77}, PPID: 5, Name: "x", Path: tt.exe, Cmdline: []string{"x"}, Cgroup: cgroupPath([]byte(tt.line + "\n"))}
		checkApp(t, tt.line, p, tt.id, tt.kind)
	}
}

func checkApp(t *testing.T, what string, p Process, id, kind string) {
	t.Helper()
	got := AppOf(p)
	if got.ID != id || got.Kind != kind {
		t.Errorf("%s: AppOf = %q %q %q, want %q %q", what, got.ID, got.Kind, got.Why, id, kind)
	}
	if got.Name == "" || len(got.Why) == 0 || slices.Contains(got.Why, "") {
		t.Errorf("%s: AppOf has name %q and why %q", what, got.Name, got.Why)
	}
}

func TestAppOfCommand(t *testing.T) {
	tests := []struct{ exe, args, id, kind string }{
		{"/usr/bin/deno", "run -A /srv/api.ts", "/usr/bin/deno /srv/api.ts", "script"},
		{"/usr/bin/deno", "eval 1", "/usr/bin/deno", "executable"},
		{"/home/a/.bun/bin/bun", "run /srv/api.ts", "/home/a/.bun/bin/bun /srv/api.ts", "script"},
		{"/usr/bin/php8.2", "-d x=1 -f /srv/job.php", "/usr/bin/php8.2 /srv/job.php", "script"},
		{"/usr/bin/php", "-r 1", "/usr/bin/php", "executable"},
		{"/usr/bin/mono-sgen", "--debug /opt/sonarr/Sonarr.exe", "/usr/bin/mono-sgen /opt/sonarr/Sonarr.exe", "script"},
		{"/usr/share/dotnet/dotnet", "/srv/web.dll --urls x", "/usr/share/dotnet/dotnet /srv/web.dll", "script"},
		{"/usr/share/dotnet/dotnet", "exec --runtimeconfig a.json /srv/web.dll", "/usr/share/dotnet/dotnet /srv/web.dll", "script"},
		{"/usr/bin/lua5.4", "/srv/a.lua", "/usr/bin/lua5.4 /srv/a.lua", "script"},
		{"/usr/bin/perl", "/usr/bin/cpan", "/usr/bin/perl /usr/bin/cpan", "script"},
		{"/usr/bin/ruby", "-e 1", "/usr/bin/ruby", "executable"},
		{"/usr/bin/python3.12", "/usr/bin/yt-dlp https://example.com", "/usr/bin/python3.12 /usr/bin/yt-dlp", "script"},
		{"/usr/bin/python3.12", "-m pip install x", "/usr/bin/python3.12 -m pip", "script"},
		{"/srv/venv/bin/python", "/srv/venv/bin/gunicorn app:app", "/srv/venv/bin/python /srv/venv/bin/gunicorn", "script"},
		{"/usr/bin/pypy3", "/srv/x.py", "/usr/bin/pypy3 /srv/x.py", "script"},
		{"/home/a/.nvm/versions/node/v20.1.0/bin/node", "/home/a/.nvm/versions/node/v20.1.0/bin/npm ci", "/home/a/.nvm/versions/node/*/bin/node /home/a/.nvm/versions/node/*/bin/npm", "script"},
		{"/usr/bin/node", "--inspect /srv/shop/dist/index.js", "/usr/bin/node /srv/shop/dist/index.js", "script"},
		{"/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-Xmx2g -jar /opt/jenkins.war", "/usr/lib/jvm/java-17-openjdk-amd64/bin/java /opt/jenkins.war", "script"},
		{"/usr/lib/electron28/electron", "/usr/lib/code/app.asar", "/usr/lib/electron28/electron /usr/lib/code/app.asar", "script"},
		{"/usr/bin/gjs-console", "/usr/bin/gnome-maps", "/usr/bin/gjs-console /usr/bin/gnome-maps", "script"},
		{"/opt/tool/1.2.3/bin/tool", "x", "/opt/tool/*/bin/tool", "executable"},
		{"/opt/tool-1.2.3/tool", "x", "/opt/tool-*/tool", "executable"},
		{"/opt/tool/1.2.4/bin/tool (deleted)", "x", "/opt/tool/*/bin/tool", "executable"},
		{"/nix/store/0123456789abcdef0123456789abcdef-curl-8.1.2/bin/curl", "x", "/nix/store/*-curl-*/bin/curl", "executable"},
		{"/home/a/.vscode-server/bin/abcdef/node", "/srv/server-main.js", "/home/a/.vscode-server/bin/abcdef/node /srv/server-main.js", "script"},
		{"/home/a/192.168.1.1/tool", "x", "/home/a/*/tool", "executable"},
		{"/opt/google/chrome/chrome (deleted)", "x", "/opt/google/chrome/chrome", "executable"},
		{"/tmp/.mount_KritaAbCdEf/usr/bin/krita", "x", "appimage:Krita", "appimage"},
		{"/tmp/.mount_/x", "x", "/tmp/.mount_/x", "executable"},
		{"/usr/bin/sudo", "curl x", "/usr/bin/sudo", "executable"},
		{"/usr/bin/env", "curl x", "/usr/bin/env", "executable"},
		{"/usr/bin/timeout", "5 curl x", "/usr/bin/timeout", "executable"},
		{"/usr/bin/tini", "-- nginx", "/usr/bin/tini", "executable"},
		{"/usr/bin/dash", "-c curl", "/usr/bin/dash", "executable"},
	}
	for _, tt := range tests {
		p := Process{Key: ProcessKey{PID: 77}, PPID: 5, Name: "x", Path: tt.exe, Cmdline: append([]string{"x"}, strings.Fields(tt.args)...)}
		checkApp(t, tt.exe+" "+tt.args, p, tt.id, tt.kind)
	}
}

func TestAppOfFamily(t *testing.T) {
	above := func(paths ...string) (list []Ancestor) {
		for i, line := range paths {
			args := strings.Fields(line)
			list = append(list, Ancestor{Key: ProcessKey{PID: int32(60 - i)}, Path: args[0], Cmdline: args})
		}
		return list
	}
	tests := []struct {
		line  string
		above []Ancestor
		id    string
	}{
		{"/opt/google/chrome/chrome --type=utility", above("/opt/google/chrome/chrome"), "/opt/google/chrome/chrome"},
		{"/opt/google/chrome/chrome_crashpad_handler x", above("/opt/google/chrome/chrome"), "/opt/google/chrome/chrome"},
		{"/usr/lib/firefox/plugin-container -contentproc", above("/usr/lib/firefox/firefox"), "/usr/lib/firefox/firefox"},
		{"/usr/lib/firefox/firefox -contentproc", above("/usr/lib/firefox/firefox", "/usr/bin/bash"), "/usr/lib/firefox/firefox"},
		{"/usr/lib/electron28/electron --type=utility", above("/usr/lib/electron28/electron --type=zygote", "/usr/lib/electron28/electron /usr/lib/code/app.asar"),
			"/usr/lib/electron28/electron /usr/lib/code/app.asar"},
		{"/usr/libexec/webkit2gtk-4.1/WebKitNetworkProcess 3", above("/usr/bin/epiphany"), "/usr/bin/epiphany"},
		{"/usr/lib/qt6/libexec/QtWebEngineProcess --type=utility", above("/usr/bin/falkon"), "/usr/bin/falkon"},
		{"/usr/bin/curl x", above("/usr/bin/bash"), "/usr/bin/curl"},
		{"/usr/bin/curl x", above("/usr/bin/sudo", "/usr/bin/bash"), "/usr/bin/curl"},
		{"/usr/bin/curl x", above("/usr/bin/xargs"), "/usr/bin/curl"},
		{"/usr/bin/curl x", above("/usr/bin/git"), "/usr/bin/curl"},
		{"/usr/bin/bash -c x", above("/usr/bin/bash /opt/backup"), "/usr/bin/bash"},
		{"/usr/bin/python3 /srv/b.py", above("/usr/bin/python3 /srv/a.py"), "/usr/bin/python3 /srv/b.py"},
		{"/usr/bin/python3 -c spawn", above("/usr/bin/python3 /srv/a.py"), "/usr/bin/python3 /srv/a.py"},
		{"/usr/lib/systemd/systemd-resolved", above("/usr/lib/systemd/systemd"), "/usr/lib/systemd/systemd-resolved"},
		{"/usr/sbin/nginx x", above("/usr/sbin/nginx"), "/usr/sbin/nginx"},
	}
	for _, tt := range tests {
		args := strings.Fields(tt.line)
		p := Process{Key: ProcessKey{PID: 77}, PPID: 60, Name: "x", Path: args[0], Cmdline: args, Ancestors: tt.above}
		if got := AppOf(p); got.ID != tt.id {
			t.Errorf("%s: AppOf = %q %q, want %q", tt.line, got.ID, got.Why, tt.id)
		}
	}
}

func TestDesktopEntries(t *testing.T) {
	tests := []struct{ exec, program string }{
		{"/usr/bin/gimp-2.10 %U", "/usr/bin/gimp-2.10"},
		{"firefox %u", "firefox"},
		{`"/opt/My App/app" --x %F`, "/opt/My App/app"},
		{"env GDK_BACKEND=x11 /usr/bin/foo", "/usr/bin/foo"},
		{"env -u X A=b foo", "X"}, // wrong, as the value of an option is not known: no file of that name is found
		{`"/opt/a\"b/c"`, `/opt/a"b/c`},
		{`sh -c "exec foo"`, ""},
		{"flatpak run org.x.Y", ""},
		{"/usr/bin/flatpak run org.x.Y", ""},
		{"/usr/bin/python3 /usr/share/x/main.py", "/usr/share/x/main.py"},
		{"python3 -c 1", ""},
		{"java -jar /opt/x.jar", "/opt/x.jar"},
		{"pkexec /usr/sbin/gparted", ""},
		{"", ""}, {`""`, ""}, {"env", ""}, {"A=b", ""},
		{"steam steam://x", "steam"},
		{"code --unity-launch %F", "code"},
	}
	for _, tt := range tests {
		if got := execProgram(tt.exec); got != tt.program {
			t.Errorf("execProgram(%q) = %q, want %q", tt.exec, got, tt.program)
		}
	}
}

func TestDesktopIndex(t *testing.T) {
	index := desktopIndex{}
	same := func(program string) string { return program }
	for id, text := range map[string]string{
		"org.x.Maps":    "[Desktop Entry]\nType=Application\nName=Maps\nName[de]=Karten\nExec=/usr/bin/maps %U\n[Desktop Action new]\nName=New\nExec=/usr/bin/new\n",
		"org.x.Private": "[Desktop Entry]\nType=Application\nName=Maps in private\nExec=/usr/bin/maps -p\n",
		"org.x.Hidden":  "[Desktop Entry]\nType=Application\nName=M\nNoDisplay=true\nExec=/usr/bin/maps\n",
		"org.x.Link":    "[Desktop Entry]\nType=Link\nName=L\nExec=/usr/bin/link\n",
		"org.x.Script":  "# comment\n[Desktop Entry]\nType=Application\nName=Tool\nExec=python3 /usr/share/tool.py\n",
	} {
		if d, ok := parseDesktop(id, []byte(text)); ok {
			index.add(d, same)
		}
	}
	tests := []struct{ line, id string }{
		{"/usr/bin/maps", "org.x.Maps"},
		{"/usr/bin/maps (deleted)", "org.x.Maps"},
		{"/usr/bin/new", ""},
		{"/usr/bin/link", ""},
		{"/usr/bin/python3 /usr/share/tool.py", "org.x.Script"},
		{"/usr/bin/python3 /usr/share/other.py", ""},
		{"/usr/bin/bash", ""},
		{"", ""},
	}
	for _, tt := range tests {
		exe, deleted := strings.CutSuffix(tt.line, " (deleted)")
		args := strings.Fields(exe)
		if len(args) > 0 {
			exe = args[0]
		}
		if deleted {
			exe += " (deleted)"
		}
		if got := index.find(exe, args); got.ID != tt.id {
			t.Errorf("find %q = %+v, want %q", tt.line, got, tt.id)
		}
	}
	p := Process{Key: ProcessKey{PID: 7}, Path: "/usr/bin/maps", Desktop: index.find("/usr/bin/maps", nil)}
	if got := AppOf(p); got.ID != "desktop:org.x.Maps" || got.Name != "Maps" || got.Kind != "desktop" {
		t.Errorf("AppOf = %+v, want the entry's app", got)
	}
}

func TestAppOfSandbox(t *testing.T) {
	p := Process{Key: ProcessKey{PID: 7}, Path: "/app/bin/foo", Flatpak: flatpakID([]byte("[Runtime]\nname=wrong\n[Application]\nname=org.x.Foo\n"))}
	checkApp(t, ".flatpak-info", p, "flatpak:org.x.Foo", "flatpak")
	for _, tt := range []struct{ file, name string }{
		{"/home/a/Krita-5.2.2-x86_64.AppImage", "Krita"},
		{"/home/a/nvim.appimage", "nvim"},
		{"/home/a/Bitwarden-2024.1.0-x86_64.AppImage", "Bitwarden"},
		{"/home/a/Joplin_v2.1.AppImage", "Joplin"},
		{"/home/a/My-Tool-x86_64.AppImage", "My-Tool"},
		{"/home/a/.AppImage", ".AppImage"},
	} {
		env := environValue([]byte("A=b\x00APPIMAGE="+tt.file+"\x00"), "APPIMAGE")
		p := Process{Key: ProcessKey{PID: 7}, Path: "/tmp/.mount_KritaAbCdEf/usr/bin/x", AppImage: env}
		checkApp(t, tt.file, p, "appimage:"+tt.name, "appimage")
	}
	p = Process{Key: ProcessKey{PID: 7}, Path: "/usr/bin/bash", AppImage: "/home/a/Krita.AppImage"}
	checkApp(t, "started from an AppImage", p, "/usr/bin/bash", "executable")
}

// What is beside apptap is told apart by program.
func TestAppOfBeside(t *testing.T) {
	p := Process{Key: ProcessKey{PID: 7}, Path: "/usr/bin/curl", Cgroup: "/system.slice/docker-" + testContainer + ".scope", Beside: true}
	checkApp(t, "own container", p, "/usr/bin/curl", "executable")
	p.Beside = false
	p.Container = "web"
	if got := AppOf(p); got.Name != "web" || got.ID != "docker:0123456789ab" {
		t.Errorf("AppOf = %+v, want container web", got)
	}
}
