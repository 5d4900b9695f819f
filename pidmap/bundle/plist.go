package bundle

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

const (
	// maxPlist bounds the property list that is read, in bytes: Xcode's, one of the longest, has 20 KiB.
	maxPlist = 256 << 10
	// maxText bounds each text taken from it, in bytes.
	maxText = 256
)

// Read reads what the bundle at the absolute path dir says of itself. files is the root of the file system that the path is in. Where
// Info.plist cannot be read the Bundle still has Path and Name, and the error says why.
func Read(files fs.FS, dir string) (Bundle, error) {
	b, file, err := read(files, dir)
	switch {
	case err != nil && file != "":
		return b, fmt.Errorf("read bundle %s: %s: %w", dir, file, err)
	case err != nil:
		return b, fmt.Errorf("read bundle %s: %w", dir, err)
	}
	return b, nil
}

// FromPath is what the path alone says of a bundle.
func FromPath(dir string) Bundle {
	name := path.Base(dir)
	return Bundle{Path: dir, Name: strings.TrimSuffix(name, path.Ext(name))}
}

// infoPlist looks where the kinds of bundles have it. An iOS app is wrapped: its own bundle, flat, lies inside the one that the
// Finder shows.
func infoPlist(files fs.FS, dir string) (file string, text []byte, err error) {
	wrapped, _ := fs.Glob(files, escape(dir)+"/Wrapper/*.app/Info.plist")
	candidates := append([]string{dir + "/Contents/Info.plist"}, wrapped...)
	candidates = append(candidates, dir+"/WrappedBundle/Info.plist", dir+"/Info.plist",
		dir+"/Versions/Current/Resources/Info.plist", dir+"/Versions/A/Resources/Info.plist")
	var first error
	for _, file := range candidates {
		text, err := readBounded(files, file)
		if err == nil {
			return file, text, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", nil, first
}

// escape makes a path a pattern that matches it alone.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}

func readBounded(files fs.FS, file string) ([]byte, error) {
	f, err := files.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing is lost
	if s, err := f.Stat(); err != nil || !s.Mode().IsRegular() {
		return nil, fmt.Errorf("open %s: %w", file, fs.ErrInvalid)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPlist+1))
	if err == nil && len(text) > maxPlist {
		err = fmt.Errorf("read %s: more than %d bytes", file, maxPlist)
	}
	return text, err
}

// fill takes over what the property list, XML or binary, says.
func (b *Bundle) fill(text []byte) error {
	texts, err := topTexts(text)
	if err != nil {
		return err
	}
	b.ID, b.Version = usable(texts["CFBundleIdentifier"]), usable(texts["CFBundleShortVersionString"])
	for _, key := range [...]string{"CFBundleDisplayName", "CFBundleName"} {
		if name := usable(texts[key]); name != "" {
			b.Name = name
			break
		}
	}
	return nil
}

// usable refuses texts that are no name.
func usable(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxText || !utf8.ValidString(s) {
		return ""
	}
	return s
}
