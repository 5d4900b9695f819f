package bundle

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"
)

// countingFS counts files that are opened.
type countingFS struct {
	fstest.MapFS
	opened int
}

func (c *countingFS) Open(name string) (fs.File, error)     { c.opened++; return c.MapFS.Open(name) }
func (c *countingFS) Stat(name string) (fs.FileInfo, error) { return c.MapFS.Stat(name) }
func (c *countingFS) Glob(pattern string) ([]string, error) { return c.MapFS.Glob(pattern) }

// TestCache: a bundle is read once, and again when it was updated. One without Info.plist is looked for each time.
func TestCache(t *testing.T) {
	list := func(version string) []byte {
		return fmt.Appendf(nil, `<plist><dict><key>CFBundleShortVersionString</key><string>%s</string></dict></plist>`, version)
	}
	file := &fstest.MapFile{Mode: 0o644, Data: list("1"), ModTime: time.Unix(1000, 0)}
	files := &countingFS{MapFS: fstest.MapFS{"Applications/A.app/Contents/Info.plist": file}}
	var c Cache
	read := func(dir, version string, opened int) {
		t.Helper()
		files.opened = 0
		if b := c.Read(files, dir); b.Version != version || files.opened != opened || b.Name == "" {
			t.Errorf("got %+v with %d files opened; want version %q with %d", b, files.opened, version, opened)
		}
	}
	read("/Applications/A.app", "1", 1)
	read("/Applications/A.app", "1", 0)
	file.Data, file.ModTime = list("2"), time.Unix(2000, 0)
	read("/Applications/A.app", "2", 1)
	read("/Applications/A.app", "2", 0)
	delete(files.MapFS, "Applications/A.app/Contents/Info.plist")
	files.opened = 0
	if b := c.Read(files, "/Applications/A.app"); b.Version != "" || b.Name != "A" || files.opened == 0 {
		t.Errorf("got %+v of a bundle that is gone", b)
	}
	for i := range maxCached + 1 {
		dir := fmt.Sprintf("Applications/%d.app", i)
		files.MapFS[dir+"/Contents/Info.plist"] = &fstest.MapFile{Mode: 0o644, Data: list("3")}
		c.Read(files, "/"+dir)
	}
	if len(c.known) > maxCached {
		t.Errorf("%d bundles remembered, at most %d may be", len(c.known), maxCached)
	}
}
