package archtest

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"path"
	"slices"
	"strings"
)

// sameEverywhere are the rooms in which no file is one system's: what they say of a packet, an owner or a byte depends on what they
// are given alone. The history of owners, in pidmap, is held by its name: history.go and its like have no system's.
var sameEverywhere = []string{
	"capture", "flows/names", "pidmap/bundle", "pidmap/libproc", "pidmap/ntstat", "summarize", "summarize/report",
	"internal/history", "internal/pipeline", "internal/session", "internal/usage",
}

// systemsAreNamed: the product differs between systems only in files whose names say so. A file for all others is called other.
func systemsAreNamed(s source) []string {
	generated := strings.HasSuffix(s.file, "_bpfel.go") // bpf2go names them by what they hold
	if s.isTest() || strings.HasPrefix(s.file, "fixtures/") || generated || s.namesOS() || s.forOthers() {
		return nil
	}
	var bad []string
	if tag := s.systemTag(); tag != "" {
		bad = append(bad, fmt.Sprintf("%s: its build constraint names %s and its name names no system", s.file, tag))
	}
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if isGOOS(n.X) || isGOOS(n.Y) {
				bad = append(bad, fmt.Sprintf("%s: asks which system this is: that belongs in a file that names it", s.at(n.Pos())))
			}
		case *ast.SwitchStmt:
			if isGOOS(n.Tag) {
				bad = append(bad, fmt.Sprintf("%s: asks which system this is: that belongs in a file that names it", s.at(n.Pos())))
			}
		}
		return true
	})
	return bad
}

// sameOnEverySystem: rooms that must not differ have no file that could.
func sameOnEverySystem(s source) []string {
	if s.isTest() || !slices.Contains(sameEverywhere, s.room()) || !s.namesOS() && !s.forOthers() {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s is the same on every system", s.file, s.room())}
}

// forOthers reports whether the file's name ends in other.
func (s source) forOthers() bool {
	parts := strings.Split(strings.TrimSuffix(path.Base(s.file), ".go"), "_")
	return parts[len(parts)-1] == "other"
}

// systemTag is a system that the file's build constraint names, "" for none.
func (s source) systemTag() (tag string) {
	for _, group := range s.syntax.Comments {
		for _, comment := range group.List {
			if group.Pos() > s.syntax.Package || !constraint.IsGoBuild(comment.Text) {
				continue
			}
			if expr, err := constraint.Parse(comment.Text); err == nil {
				for _, holds := range []bool{false, true} { // each leaves out other terms
					expr.Eval(func(t string) bool {
						if isOS(t) {
							tag = t
						}
						return holds
					})
				}
			}
		}
	}
	return tag
}

func isGOOS(e ast.Expr) bool {
	selector, ok := e.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "GOOS" {
		return false
	}
	name, ok := selector.X.(*ast.Ident)
	return ok && name.Name == "runtime"
}
