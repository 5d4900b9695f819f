package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

const module = "apptap"

// rules lists what each file is held to. Each returns its objections as "where: what".
var rules = []func(source) []string{
	knownRoom, arrowsHold, leashesHold, execIsNamed, goroutinesAreOwned, noInit, namesSayWhat, systemsAreNamed, sameOnEverySystem,
}

func objections(sources []source) []string {
	var all []string
	for _, s := range sources {
		for _, rule := range rules {
			all = append(all, rule(s)...)
		}
	}
	return all
}

func knownRoom(s source) []string {
	if _, ok := arrows[s.room()]; ok {
		return nil
	}
	return []string{fmt.Sprintf("%s: room %q is not in the table of arrows", s.file, s.room())}
}

func arrowsHold(s source) []string {
	var bad []string
	for _, imported := range s.imports {
		target, ours := strings.CutPrefix(imported, module+"/")
		if !ours && imported != module || mayImport(s, target) {
			continue
		}
		bad = append(bad, fmt.Sprintf("%s: %s may not import %s; it may import %v", s.file, s.room(), imported, arrows[s.room()]))
	}
	return bad
}

// mayImport reports whether the arrow from the file's room to target is in the table. A room's
// external test (package x_test) imports the room itself.
func mayImport(s source, target string) bool {
	if slices.Contains(arrows[s.room()], target) {
		return true
	}
	return s.isTest() && (target == s.room() || slices.Contains(testArrows, target))
}

func leashesHold(s source) []string {
	var bad []string
	for _, imported := range s.imports {
		first, _, _ := strings.Cut(imported, "/")
		if !strings.Contains(first, ".") {
			continue // standard library, or a room
		}
		if why := offLeash(s, imported); why != "" {
			bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.file, imported, why))
		}
	}
	return bad
}

// offLeash says why the file may not import a third-party package, "" if it may.
func offLeash(s source, imported string) string {
	l, ok := leashOf(imported)
	switch {
	case !ok:
		return "no line in the table of third-party packages"
	case l.tests && s.isTest():
		return ""
	case !slices.Contains(l.rooms, s.room()):
		return fmt.Sprintf("only %v may (%s)", l.rooms, l.why)
	case l.byOS && !s.isTest() && !s.namesOS():
		return fmt.Sprintf("only a file with the operating system in its name may (%s)", l.why)
	}
	return ""
}

func leashOf(imported string) (longest leash, ok bool) {
	for _, l := range leashes {
		if (imported == l.path || strings.HasPrefix(imported, l.path+"/")) && len(l.path) > len(longest.path) {
			longest, ok = l, true
		}
	}
	return longest, ok
}

func execIsNamed(s source) []string {
	if s.isTest() || !slices.Contains(s.imports, "os/exec") || execFiles[s.file] != "" {
		return nil
	}
	return []string{fmt.Sprintf("%s: imports os/exec: apptap starts no program; only %v may", s.file, sortedKeys(execFiles))}
}

func goroutinesAreOwned(s source) []string {
	if s.isTest() || goRooms[s.room()] != "" {
		return nil
	}
	var bad []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if statement, ok := n.(*ast.GoStmt); ok {
			bad = append(bad, fmt.Sprintf("%s: starts a goroutine; only %v may", s.at(statement.Pos()), sortedKeys(goRooms)))
		}
		return true
	})
	return bad
}

func noInit(s source) []string {
	var bad []string
	for _, decl := range s.syntax.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && f.Name.Name == "init" {
			bad = append(bad, fmt.Sprintf("%s: has an init function: list it in a function that is called", s.at(f.Pos())))
		}
	}
	return bad
}

func namesSayWhat(s source) []string {
	names := append(strings.Split(s.room(), "/"), strings.TrimSuffix(s.syntax.Name.Name, "_test"))
	for _, name := range names {
		if slices.Contains(junkNames, name) {
			return []string{fmt.Sprintf("%s: the name %q says nothing: put the code where it is used", s.file, name)}
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
