package main

import (
	"os"
	"path/filepath"
)

// sameFile says whether two paths name one existing regular file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil || !first.Mode().IsRegular() {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// sameName says whether two paths, - for a standard stream, are of one file, which need not be there.
func sameName(a, b string) bool {
	return a != "-" && b != "-" && (absolute(a) == absolute(b) || sameFile(a, b))
}

// absolute is a path from the root, or as it is where the working directory is not known.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return filepath.Clean(path)
}
