package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"apptap/capture/live"
)

// Exit codes, as docs/scripting.md has them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitPermission  = 4
	exitInterrupted = 130
)

// exitErr carries what main needs to end: the code, the sentence, and what to do next.
type exitErr struct {
	code int
	err  error
	hint string
}

func (e *exitErr) Error() string { return e.err.Error() }
func (e *exitErr) Unwrap() error { return e.err }

// usageError is a mistake in the command line.
func usageError(format string, args ...any) error {
	return &exitErr{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// flagError says of a flag's value what would be one, in place of the words of strconv.
func flagError(err error) error {
	sentence, parser, ok := strings.Cut(err.Error(), ": strconv.Parse")
	if !ok {
		return err
	}
	want := "a whole number"
	switch {
	case strings.HasPrefix(parser, "Uint"):
		want += ", 0 or more"
	case strings.HasPrefix(parser, "Bool"):
		want = "true or false"
	}
	return fmt.Errorf("%s: want %s", sentence, want)
}

// withHint adds what to type next.
func withHint(err error, hint string) error { return &exitErr{exitError, err, hint} }

// errIncomplete ends a run with --strict whose report is made but not whole; it has been said why.
var errIncomplete = errors.New("the report is incomplete")

// errNoCounting ends a run with --count-only where the kernel does not tell of the packets of sockets.
var errNoCounting = errors.New("--count-only wants kernel events (eBPF of Linux), which do not work here")

// errInterrupted ends a run that was interrupted before it had anything to report.
var errInterrupted = errors.New("interrupted")

// tell prints err, which command ended in, for a person and returns the exit code that belongs to it.
func tell(stderr io.Writer, err error, command string) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitError, ""
	var known *exitErr
	var hinted interface{ Hint() string }
	switch {
	case errors.As(err, &known):
		code, hint = known.code, known.hint
	case errors.As(err, &hinted):
		hint = hinted.Hint()
	}
	if errors.Is(err, errInterrupted) {
		code = exitInterrupted
	}
	var permission *live.PermissionError
	if code == exitError && errors.As(err, &permission) {
		code = exitPermission
	}
	var filter *live.FilterError
	if errors.As(err, &filter) {
		code, hint = exitUsage, filter.Caret()
	}
	for line := range strings.Lines(err.Error()) { // joined errors are a line each
		fmt.Fprintf(stderr, "apptap: %s\n", printable(strings.TrimSpace(line)))
	}
	if code == exitUsage && hint == "" {
		hint = "see '" + command + " --help'"
	}
	for line := range strings.Lines(hint) {
		fmt.Fprintf(stderr, "apptap: hint: %s\n", printable(strings.TrimRight(line, "\n")))
	}
	return code
}

// oneLine keeps a sentence on one line, and what a file or interface is called from steering the terminal.
func oneLine(err error) string { return printable(strings.Join(strings.Fields(err.Error()), " ")) }

// pathCause is the cause of a file error without the operation and path, which the sentence around it names.
func pathCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
