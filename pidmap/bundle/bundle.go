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

// App returns the outermost application bundle that the executable is in: a helper is an application of its own inside the
// one that people know. ok is false for anything else, a directory that merely is called .app included.
func App(executable string) (dir string, ok bool) { return outermost(executable, ".app") }

// Part returns the outermost bundle of code other than an application: an XPC service of a framework, an app extension, a
// system extension. What runs from it runs for somebody else.
func Part(executable string) (dir string, ok bool) {
	for _, suffix := range [...]string{".systemextension", ".appex", ".xpc", ".framework", ".dext", ".bundle", ".plugin"} {
		if dir, ok = outermost(executable, suffix); ok {
			return dir, true
		}
	}
	return "", false
}

// outermost finds the first directory of the path that has the suffix and the inside of a bundle: Contents, Versions (a
// framework), Wrapper (an iOS app on a Mac), or the executable itself.
func outermost(executable, suffix string) (string, bool) {
	for at := 0; ; {
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
