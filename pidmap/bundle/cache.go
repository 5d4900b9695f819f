package bundle

import (
	"io/fs"
	"strings"
	"time"
)

// maxCached bounds the bundles remembered at a time.
const maxCached = 4096

// Cache remembers what bundles say of themselves, for as long as their Info.plist stays the same: a browser has dozens of processes,
// and is updated while they run. The zero value is ready. It is not safe for concurrent use.
type Cache struct {
	known map[string]cached // by the bundle's directory
}

type cached struct {
	bundle   Bundle
	file     string // its Info.plist
	modified time.Time
}

// Read is Read, without the error: where there is no Info.plist the directory's name remains. That is not remembered.
func (c *Cache) Read(files fs.FS, dir string) Bundle {
	old, ok := c.known[dir]
	if ok {
		if s, err := fs.Stat(files, old.file); err == nil && s.ModTime().Equal(old.modified) {
			return old.bundle
		}
	}
	b, file, err := read(files, dir)
	if err != nil {
		return b
	}
	s, err := fs.Stat(files, file)
	if err != nil {
		return b
	}
	if c.known == nil || len(c.known) >= maxCached {
		c.known = map[string]cached{}
	}
	c.known[dir] = cached{b, file, s.ModTime()}
	return b
}

// read is Read, with the file that told it.
func read(files fs.FS, dir string) (b Bundle, file string, err error) {
	b = FromPath(dir)
	file, text, err := infoPlist(files, strings.TrimPrefix(dir, "/"))
	if err != nil {
		return b, "", err
	}
	return b, file, b.fill(text)
}
