// Package bundle answers which macOS application bundle an executable is part of, and what the bundle calls itself. It reads
// paths and an fs.FS, so it gives its answers on any system; pidmap calls it. It knows nothing of processes.
package bundle

import "strings"

// Bundle is an application, or a bundle of code that is part of none.
type Bundle struct {
	Path    string // absolute, of the bundle's directory
	ID      string // CFBundleIdentifier, "" where Info.plist could not be read
	Name    string // for people: CFBundleDisplayName, CFBundleName or the directory's name
	Version string // CFBundleShortVersionString, "" if unknown
}

// developer is the part of Xcode that is no part of the application: git, clang, Python and the Simulator, which /usr/bin/git and its like
// start whoever asks (xcode-select(1)). Other developers' tools are laid out as it is.
const developer = ".app/Contents/Developer/"

// App returns the outermost application bundle that the executable is in: a helper is an application of its own inside the
// one that people know. ok is false for anything else, a directory that merely is called .app included. What merely comes with Xcode is
// itself.
func App(executable string) (dir string, ok bool) {
	from := 0
	if i := strings.Index(executable, developer); i >= 0 {
		from = i + len(developer)
	}
	return outermost(executable, from, ".app")
}

// Part returns the outermost bundle of code other than an application: an XPC service of a framework, an app extension, a
// system extension. What runs from it runs for somebody else.
func Part(executable string) (dir string, ok bool) {
	for _, suffix := range [...]string{".systemextension", ".appex", ".xpc", ".framework", ".dext", ".bundle", ".plugin"} {
		if dir, ok = outermost(executable, 0, suffix); ok {
			return dir, true
		}
	}
	return "", false
}

// outermost finds the first directory of the path, behind so many bytes of it, that has the suffix and the inside of a bundle: Contents, Versions (a
// framework), Wrapper (an iOS app on a Mac), or the executable itself.
func outermost(executable string, from int, suffix string) (string, bool) {
	for at := from; ; {
		i := strings.Index(executable[at:], suffix+"/")
		if i < 0 {
			return "", false
		}
		end := at + i + len(suffix)
		inside, rest, more := strings.Cut(executable[end+1:], "/")
		named := end-len(suffix) > 0 && executable[end-len(suffix)-1] != '/'
		if named && inside != "" && (!more || within(inside) && rest != "") {
			return executable[:end], true
		}
		at = end
	}
}

func within(dir string) bool {
	return dir == "Contents" || dir == "Versions" || dir == "Wrapper" || dir == "WrappedBundle" || dir == "XPCServices"
}
