package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is one parsed .go file of the module.
type source struct {
	file    string // relative to the module's root, with slashes
	syntax  *ast.File
	imports []string
	tokens  *token.FileSet
}

// room is the directory of the package that the file belongs to.
func (s source) room() string { return path.Dir(s.file) }

func (s source) isTest() bool { return strings.HasSuffix(s.file, "_test.go") }

// namesOS reports whether the file's name ends in an operating system, as go/build reads it.
func (s source) namesOS() bool {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.file), ".go"), "_test")
	parts := strings.Split(name, "_")
	return len(parts) > 1 && slices.ContainsFunc(parts[1:], isOS)
}

// isOS reports whether a part of a file name stands for a system. unix is a build tag and no suffix
// to the go command; a file so named says in its tag what its name says.
func isOS(part string) bool {
	return slices.Contains([]string{"linux", "darwin", "freebsd", "openbsd", "netbsd", "dragonfly", "windows", "unix", "bsd"}, part)
}

func (s source) at(pos token.Pos) string {
	return fmt.Sprintf("%s:%d", s.file, s.tokens.Position(pos).Line)
}

// parse reads one file; text is nil to read it from disk under root.
func parse(root, file string, text any) (source, error) {
	tokens := token.NewFileSet()
	syntax, err := parser.ParseFile(tokens, filepath.Join(root, filepath.FromSlash(file)), text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse %s: %w", file, err)
	}
	s := source{file: file, syntax: syntax, tokens: tokens}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("parse %s: import %s: %w", file, spec.Path.Value, err)
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

// parseModule parses every .go file below root that the go command could build under some tags.
func parseModule(root string) ([]source, error) {
	var sources []source
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != root && ignoredDir(entry.Name()) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		s, err := parse(root, filepath.ToSlash(relative), nil)
		sources = append(sources, s)
		return err
	})
	return sources, err
}

// ignoredDir reports whether the go command never looks into a directory of that name.
func ignoredDir(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// moduleRoot is the nearest directory above the test that holds go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find go.mod: %w", fs.ErrNotExist)
		}
		dir = parent
	}
}
