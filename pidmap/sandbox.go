package pidmap

import (
	"path"
	"strings"
)

// flatpakApp goes by the scope that flatpak makes, or by what it writes into the sandbox.
func flatpakApp(s subject) (App, bool) {
	id, why := "", "cgroup scope of flatpak"
	if name, suffix := innermostUnit(s.Process); suffix == ".scope" {
		if rest, ok := strings.CutPrefix(name, "app-flatpak-"); ok {
			id = unescapeUnit(withoutRandom(rest))
		}
	}
	if id == "" && s.Flatpak != "" {
		id, why = s.Flatpak, "/.flatpak-info of its sandbox"
	}
	if id == "" {
		return App{}, false
	}
	return App{ID: "flatpak:" + id, Name: lastOfID(id), Kind: "flatpak", Path: s.exe, Why: []string{why}}, true
}

// withoutRandom cuts the number that ends a scope's name.
func withoutRandom(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 && isHex(name[i+1:]) {
		return name[:i]
	}
	return name
}

// lastOfID is what a person would call org.mozilla.firefox.
func lastOfID(id string) string {
	if i := strings.LastIndexByte(id, '.'); i >= 0 && i+1 < len(id) {
		return id[i+1:]
	}
	return id
}

// snapApp goes by the scope or service that snapd makes, or by where the executable is.
func snapApp(s subject) (App, bool) {
	name, why := "", "cgroup of a snap"
	if unit, suffix := innermostUnit(s.Process); suffix != "" {
		if rest, ok := strings.CutPrefix(unit, "snap."); ok {
			name, _, _ = strings.Cut(rest, ".")
		}
	}
	if name == "" {
		name, why = snapOfPath(s.exe), "executable in a snap"
	}
	if name == "" {
		return App{}, false
	}
	// NAME_KEY is a second installation of the same snap.
	return App{ID: "snap:" + name, Name: name, Kind: "snap", Path: s.exe, Why: []string{why}}, true
}

// snapOfPath reads /snap/NAME/REVISION/...; the base snaps lend their programs to others.
func snapOfPath(exe string) string {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(exe, "/var/lib/snapd"), "/snap/")
	if !ok {
		return ""
	}
	name, rest, ok := strings.Cut(rest, "/")
	if !ok || !strings.Contains(rest, "/") || name == "bare" || strings.TrimRight(name, "0123456789") == "core" || name == "bin" {
		return ""
	}
	return name
}

// appImageApp goes by the mount point that the runtime of AppImage makes: .mount_, up to six characters of the
// file's name and six random letters. $APPIMAGE alone is no sign: programs that the app starts inherit it.
func appImageApp(s subject) (App, bool) {
	_, rest, ok := strings.Cut(s.exe, "/.mount_")
	if !ok {
		return App{}, false
	}
	mount, _, ok := strings.Cut(rest, "/")
	if !ok || len(mount) <= appImageRandom {
		return App{}, false
	}
	a := App{Kind: "appimage", Path: s.exe, Why: []string{"executable in the mount of an AppImage"}}
	a.Name = mount[:len(mount)-appImageRandom]
	if s.AppImage != "" && path.Base(s.AppImage) != "/" {
		a.Path = s.AppImage
		a.Name = imageName(path.Base(s.AppImage))
		a.Why = append(a.Why, "$APPIMAGE names its file")
	}
	a.ID = "appimage:" + a.Name
	return a, true
}

const appImageRandom = 6

// imageName is NAME of NAME-VERSION-ARCH.AppImage.
func imageName(file string) string {
	name := file
	if ext := path.Ext(file); strings.EqualFold(ext, ".appimage") && len(ext) < len(file) {
		name = strings.TrimSuffix(file, ext)
	}
	for _, arch := range [...]string{"-x86_64", "-aarch64", "-arm64", "-amd64", ".x86_64"} {
		if short := strings.TrimSuffix(name, arch); short != "" {
			name = short
		}
	}
	for i, c := range name {
		if i > 0 && (c == '-' || c == '_') && i+1 < len(name) && startsVersion(name[i+1:]) {
			return name[:i]
		}
	}
	return name
}

func startsVersion(s string) bool {
	s = strings.TrimPrefix(s, "v")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}
