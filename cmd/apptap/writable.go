package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// checkWritable says whether a file can be made at path, without making it.
func checkWritable(path string) error {
	if info, err := os.Stat(path); err == nil {
		if info.IsDir() {
			return withHint(fmt.Errorf("write %s: is a directory", path), "name a file in it")
		}
		return nil
	}
	dir := filepath.Dir(path)
	if file := fileAmong(dir); file != "" {
		return withHint(fmt.Errorf("write %s: %s is a file and no directory", path, file), elsewhere(path))
	}
	_, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return withHint(fmt.Errorf("write %s: there is no directory %s", path, dir), "make it first: mkdir -p "+dir)
	case err != nil:
		return notWritable(path, err)
	}
	return nil
}

// fileAmong is what of dir and the directories above it is none, "" where that is not so or not known.
func fileAmong(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil {
			if info.IsDir() {
				return ""
			}
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}

// notWritable is the error for a file that could not be opened to write to, and checkWritable had nothing against, with what to do next.
func notWritable(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		return withHint(fmt.Errorf("write %s: %w", path, pathCause(err)), "give a shorter name")
	case errors.Is(err, os.ErrNotExist): // the directory is there: /proc, or a link to nothing
		if target, linkErr := os.Readlink(path); linkErr == nil {
			return withHint(fmt.Errorf("write %s: it is a link to %s, which cannot be made", path, target), elsewhere(path))
		}
		err = fmt.Errorf("no file can be made in %s", filepath.Dir(path))
	}
	return withHint(fmt.Errorf("write %s: %w", path, pathCause(err)), elsewhere(path))
}

// elsewhere is the hint where a file can't be.
func elsewhere(path string) string {
	other := filepath.Join(os.TempDir(), filepath.Base(path))
	if other == filepath.Clean(path) {
		return "name another file, where you may write"
	}
	return "name a file where you may write, such as " + other
}
