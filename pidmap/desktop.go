package pidmap

import (
	"bytes"
	"path"
	"strings"
)

// DesktopEntry is what a .desktop file calls a program (freedesktop.org, Desktop Entry Specification).
type DesktopEntry struct {
	ID   string // the file's name below applications/, "/" as "-", without .desktop
	Name string // for people, not translated
}

// desktopFile is what is wanted of one file.
type desktopFile struct {
	DesktopEntry
	programs []string // of Exec and TryExec, as written: a path or a name to be looked up
	hidden   bool     // not for menus: an autostart or a helper entry, which names no app
}

// parseDesktop reads the group [Desktop Entry]. ok is false for what starts no program.
func parseDesktop(id string, b []byte) (d desktopFile, ok bool) {
	d.ID = id
	application, inside := false, false
	for line := range bytes.Lines(b) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			inside = text == "[Desktop Entry]"
			continue
		}
		key, value, found := strings.Cut(text, "=")
		if !inside || !found || strings.HasPrefix(text, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Type":
			application = value == "Application"
		case "Name":
			d.Name = value
		case "Exec", "TryExec":
			if program := execProgram(value); program != "" {
				d.programs = append(d.programs, program)
			}
		case "NoDisplay", "Hidden":
			d.hidden = d.hidden || value == "true"
		}
	}
	return d, application && d.Name != "" && len(d.programs) > 0
}

// execProgram is the program of an Exec line: the first word that is not env and its assignments. A shell is not it, and
// flatpak and snap have rules of their own.
func execProgram(line string) string {
	words := execWords(line)
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch base := path.Base(word); {
		case base == "env" || i > 0 && strings.HasPrefix(word, "-") || strings.Contains(word, "=") && !strings.HasPrefix(word, "/"):
		case word == "" || isLauncher(base) || base == "flatpak" || base == "snap":
			return ""
		case isInterpreter(base):
			return interpretedBy(base, words[i:])
		default:
			return word
		}
	}
	return ""
}

func isInterpreter(base string) bool {
	_, ok := interpreterOf(strings.TrimRight(base, "0123456789.-"))
	return ok
}

func interpretedBy(base string, words []string) string {
	if s, ok := scriptOf(base, words); ok && path.IsAbs(s.path) {
		return s.path
	}
	return ""
}

// execWords splits a line into at most 16 words: quotes are double ones, the backslash escapes inside them.
func execWords(line string) []string {
	const most = 16
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for i := 0; i < len(line) && len(words) < most; i++ {
		switch c := line[i]; {
		case c == '"':
			quoted, any = !quoted, true
		case c == '\\' && quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case (c == ' ' || c == '\t') && !quoted:
			if any {
				words = append(words, word.String())
				word.Reset()
				any = false
			}
		default:
			word.WriteByte(c)
			any = true
		}
	}
	if any && len(words) < most {
		words = append(words, word.String())
	}
	return words
}

// desktopScopeApp goes by the scope or service that a desktop starts an application in
// (systemd.io/DESKTOP_ENVIRONMENTS).
func desktopScopeApp(s subject) (App, bool) {
	name, suffix := innermostUnit(s.Process)
	id := scopeApplication(name, suffix)
	if id == "" || isTerminal(id) {
		return App{}, false // what runs in a terminal is not the terminal
	}
	a := App{ID: "desktop:" + id, Name: lastOfID(id), Kind: "desktop", Path: s.exe, Why: []string{"started by the desktop as " + id + ".desktop"}}
	if s.Desktop.ID == id && s.Desktop.Name != "" {
		a.Name = s.Desktop.Name
	}
	return a, true
}

// scopeApplication reads app[-LAUNCHER]-ID[-RANDOM].scope, app[-LAUNCHER]-ID[@RANDOM].service and what D-Bus starts,
// dbus-:CONNECTION-ID@N.service. "-" inside an ID is escaped.
func scopeApplication(name, suffix string) string {
	if rest, ok := strings.CutPrefix(name, "dbus-:"); ok && suffix == ".service" {
		_, rest, _ = strings.Cut(rest, "-")
		rest, _, _ = strings.Cut(rest, "@")
		return unescapeUnit(rest)
	}
	rest, ok := strings.CutPrefix(name, "app-")
	if !ok {
		return ""
	}
	if suffix == ".service" {
		rest, _, _ = strings.Cut(rest, "@")
		rest = strings.TrimSuffix(rest, "-autostart")
	} else {
		rest = withoutRandom(rest)
	}
	rest = rest[strings.LastIndexByte(rest, '-')+1:]
	return unescapeUnit(rest)
}

// isTerminal knows the applications in whose scope other programs run.
func isTerminal(id string) bool {
	id = strings.ToLower(id)
	for _, word := range [...]string{"terminal", "konsole", "console", "ptyxis", "xterm", "kitty", "alacritty", "wezterm", "tilix", "terminator",
		"ghostty", "yakuake", "guake", "urxvt", "rxvt", "tilda", "contour", "blackbox"} {
		if strings.Contains(id, word) {
			return true
		}
	}
	return id == "foot" || id == "footclient" || id == "st" || id == "org.codeberg.dnkl.foot"
}

// desktopEntryApp goes by the .desktop file that starts the same executable.
func desktopEntryApp(s subject) (App, bool) {
	if s.Desktop.ID == "" {
		return App{}, false
	}
	a := App{ID: "desktop:" + s.Desktop.ID, Name: s.Desktop.Name, Kind: "desktop", Path: s.exe, Why: []string{s.Desktop.ID + ".desktop starts its executable"}}
	if a.Name == "" {
		a.Name = lastOfID(s.Desktop.ID)
	}
	return a, true
}
