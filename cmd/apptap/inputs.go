package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"apptap/capture"
	"apptap/internal/session"
)

// inputs are the opened capture files of a replay.
type inputs struct {
	sources  []capture.Source
	sessions []*session.Source // the same
	warnings []error           // of files that are left out
	total    int64             // bytes of all files, 0 if one has no size

	mu    sync.Mutex // guards files: of a run that wrote several the later ones are opened as they are reached
	files []*countedFile
}

// openFiles opens all files or none. The files of a run that wrote several are one source, in their order and not in that of
// names.
func openFiles(ctx context.Context, stdin io.Reader, names []string) (*inputs, error) {
	in := &inputs{total: sizeOf(names)}
	runs, err := runsOf(ctx, in.begun(names))
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		source, err := in.openRun(ctx, stdin, run)
		if err != nil {
			in.close()
			if ctx.Err() != nil {
				return nil, errInterrupted
			}
			return nil, err
		}
		in.sources, in.sessions = append(in.sources, source), append(in.sessions, source)
	}
	return in, nil
}

// begun leaves out files that nothing was written to, if there are others: a capture that is killed as it begins another file leaves
// such a one.
func (in *inputs) begun(names []string) []string {
	if len(names) == 1 {
		return names
	}
	var kept []string
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
			kept = append(kept, name)
			continue
		}
		in.warnings = append(in.warnings, fmt.Errorf("%s is empty and left out", name))
	}
	if len(kept) == 0 {
		in.warnings = nil
		return names
	}
	return kept
}

func (in *inputs) openRun(ctx context.Context, stdin io.Reader, names []string) (*session.Source, error) {
	if len(names) == 1 {
		source, _, err := in.open(ctx, stdin, names[0])
		if err != nil {
			return nil, err
		}
		return session.NewSource(source, names[0]), nil
	}
	var parts []session.Part
	for _, name := range names {
		var file *countedFile
		parts = append(parts, session.Part{
			Name: name,
			Open: func() (source capture.Source, err error) {
				source, file, err = in.open(ctx, stdin, name)
				return source, err
			},
			Close: func() error { return file.Close() },
		})
	}
	return session.NewChain(parts)
}

// sizeOf is how large files are together, 0 if one has no size.
func sizeOf(names []string) (sum int64) {
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || info.Size() == 0 {
			return 0
		}
		sum += info.Size()
	}
	return sum
}

// runsOf puts the files of one run together, where its first one stands, and refuses copies. Only files can be looked at beforehand; of
// one file nothing has to be known.
func runsOf(ctx context.Context, names []string) (runs [][]string, err error) {
	if len(names) == 1 {
		return [][]string{names}, nil
	}
	type file struct {
		name string
		part int
	}
	byRun := map[string]int{} // index into groups
	var groups [][]file
	var seen copies
	for _, name := range names {
		id := headOf(ctx, name)
		if earlier := seen.of(name, id); earlier != "" {
			return nil, usageError("%s is a copy of %s: its packets would count twice", name, earlier)
		}
		at, known := byRun[id.Run]
		if id.Run == "" || !known {
			byRun[id.Run] = len(groups)
			groups = append(groups, []file{{name, id.Part}})
			continue
		}
		groups[at] = append(groups[at], file{name, id.Part})
	}
	for _, group := range groups {
		slices.SortStableFunc(group, func(a, b file) int { return a.part - b.part })
		var run []string
		for _, f := range group {
			run = append(run, f.name)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// headOf tells a file from others. What is wrong with it is told when it is read.
func headOf(ctx context.Context, name string) session.Identity {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return session.Identity{Empty: true}
	}
	in := &inputs{}
	defer in.close()
	source, _, err := in.open(ctx, nil, name)
	if err != nil {
		return session.Identity{Empty: true}
	}
	defer source.Close()
	return session.Head(source)
}

// open opens one file. What is not closed before is closed with in.
func (in *inputs) open(ctx context.Context, stdin io.Reader, name string) (capture.Source, *countedFile, error) {
	file, err := openFile(ctx, stdin, name)
	if err != nil {
		return nil, nil, err
	}
	in.mu.Lock()
	in.files = append(in.files, file)
	in.mu.Unlock()
	source, err := capture.NewReader(file, name)
	if err != nil {
		return nil, nil, foreign(name, err)
	}
	return source, file, nil
}

func openFile(ctx context.Context, stdin io.Reader, name string) (*countedFile, error) {
	if name == "-" {
		return &countedFile{reader: interruptible(ctx, stdin)}, nil
	}
	f, err := openWaiting(ctx, name)
	if err != nil {
		err = fmt.Errorf("open %s: %w", name, pathCause(err))
		if errors.Is(err, os.ErrPermission) {
			return nil, withHint(err, "make it readable for you, or run as its owner")
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = withHint(fmt.Errorf("open %s: is a directory", name), "name the capture files in it: apptap replay "+strings.TrimSuffix(name, "/")+"/*")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &countedFile{reader: untilDone(ctx, f), closer: f}, nil
}

// foreign adds what to do with a file that is no capture.
func foreign(name string, err error) error {
	if errors.Is(err, capture.ErrFormat) {
		return withHint(err, "give a capture as tcpdump, Wireshark or 'apptap capture -w' write it")
	}
	return err
}

func (in *inputs) close() {
	for _, source := range in.sources {
		source.Close() // read only: nothing is lost
	}
	for _, file := range in.files {
		file.Close()
	}
}
