package bundle

import (
	"encoding/binary"
	"io/fs"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"howett.net/plist"
)

func TestApp(t *testing.T) {
	const chrome = "/Applications/Google Chrome.app"
	tests := []struct{ path, app, part string }{
		{chrome + "/Contents/MacOS/Google Chrome", chrome, ""},
		{chrome + "/Contents/Frameworks/Google Chrome Framework.framework/Versions/130.0/Helpers/Google Chrome Helper (Renderer).app/Contents/MacOS/Google Chrome Helper (Renderer)",
			chrome, chrome + "/Contents/Frameworks/Google Chrome Framework.framework"},
		{"/System/Cryptexes/App/System/Applications/Safari.app/Contents/MacOS/Safari", "/System/Cryptexes/App/System/Applications/Safari.app", ""},
		{"/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc/Contents/MacOS/com.apple.WebKit.Networking",
			"", "/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc"},
		{"/Applications/Game.app/Wrapper/Game.app/Game", "/Applications/Game.app", ""},
		{"/private/var/containers/Game.app/Game", "/private/var/containers/Game.app", ""},
		{"/Library/SystemExtensions/0A/at.filter.app.systemextension/Contents/MacOS/filter", "", "/Library/SystemExtensions/0A/at.filter.app.systemextension"},
		{"/Applications/Mail.app/Contents/PlugIns/Share.appex/Contents/MacOS/Share", "/Applications/Mail.app", "/Applications/Mail.app/Contents/PlugIns/Share.appex"},
		{"/System/Volumes/Preboot/Cryptexes/OS/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc/Contents/MacOS/com.apple.WebKit.Networking",
			"", "/System/Volumes/Preboot/Cryptexes/OS/System/Library/Frameworks/WebKit.framework/Versions/A/XPCServices/com.apple.WebKit.Networking.xpc"},
		{"/private/var/folders/zz/0/AppTranslocation/5E/d/Tool.app/Contents/MacOS/Tool", "/private/var/folders/zz/0/AppTranslocation/5E/d/Tool.app", ""},
		{"/Applications/Xcode.app/Contents/MacOS/Xcode", "/Applications/Xcode.app", ""},
		{"/Applications/Xcode.app/Contents/Developer/usr/libexec/git-core/git-remote-http", "", ""},
		{"/Applications/Xcode.app/Contents/Developer/Applications/Simulator.app/Contents/MacOS/Simulator",
			"/Applications/Xcode.app/Contents/Developer/Applications/Simulator.app", ""},
		{"/usr/sbin/mDNSResponder", "", ""},
		{"/Users/a/my.app/bin/tool", "", ""},
		{"/Users/a/.app/Contents/MacOS/tool", "", ""},
		{"/Users/a/x.app", "", ""},
		{"/Users/a/x.app/", "", ""},
		{"/Users/a/x.app/y/real.app/Contents/MacOS/real", "/Users/a/x.app/y/real.app", ""},
	}
	for _, test := range tests {
		app, _ := App(test.path)
		part, _ := Part(test.path)
		if app != test.app || part != test.part {
			t.Errorf("%s:\n got app %q, part %q\nwant app %q, part %q", test.path, app, part, test.app, test.part)
		}
	}
}

const xmlPlist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
	<key>CFBundleIdentifier</key><string>com.google.Chrome</string>
	<key>CFBundleName</key><string>Chrome</string>
	<key>CFBundleDisplayName</key><string>Google Chrome</string>
	<key>CFBundleShortVersionString</key><string>130.0.6723.92</string>
	<key>LSMinimumSystemVersion</key><string>11.0</string>
	<key>CFBundleURLTypes</key><array><dict><key>CFBundleURLSchemes</key><array><string>https</string></array></dict></array>
</dict></plist>`

func binaryPlist(t testing.TB, values map[string]any) []byte {
	t.Helper()
	b, err := plist.Marshal(values, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tree(t testing.TB) fstest.MapFS {
	file := func(b []byte) *fstest.MapFile { return &fstest.MapFile{Data: b, Mode: 0o644} }
	return fstest.MapFS{
		"Applications/Google Chrome.app/Contents/Info.plist": file([]byte(xmlPlist)),
		"Applications/Safari.app/Contents/Info.plist": file(binaryPlist(t, map[string]any{
			"CFBundleIdentifier": "com.apple.Safari", "CFBundleName": "Safari", "CFBundleShortVersionString": "18.5"})),
		"Applications/Game [1].app/Wrapper/Inner.app/Info.plist": file(binaryPlist(t, map[string]any{
			"CFBundleIdentifier": "com.example.game", "CFBundleDisplayName": "Das Spiel für 2",
			"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "j": 10, "k": 11, "l": 12, "m": 13, "n": 14, "o": []any{"p"}})),
		"Applications/Broken.app/Contents/Info.plist":   file([]byte("bplist00 and nothing else that would be a list.......")),
		"Applications/Number.app/Contents/Info.plist":   file(binaryPlist(t, map[string]any{"CFBundleIdentifier": 7})),
		"Applications/Large.app/Contents/Info.plist":    file(make([]byte, maxPlist+1)),
		"Applications/Unnamed.app/Contents/Info.plist":  file(binaryPlist(t, map[string]any{"CFBundleIdentifier": "com.example.unnamed"})),
		"Applications/Folder.app/Contents/Info.plist/x": file(nil),
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		dir  string
		want Bundle
		ok   bool
	}{
		{"/Applications/Google Chrome.app", Bundle{ID: "com.google.Chrome", Name: "Google Chrome", Version: "130.0.6723.92"}, true},
		{"/Applications/Safari.app", Bundle{ID: "com.apple.Safari", Name: "Safari", Version: "18.5"}, true},
		{"/Applications/Game [1].app", Bundle{ID: "com.example.game", Name: "Das Spiel für 2"}, true},
		{"/Applications/Unnamed.app", Bundle{ID: "com.example.unnamed", Name: "Unnamed"}, true},
		{"/Applications/Broken.app", Bundle{Name: "Broken"}, false},
		{"/Applications/Number.app", Bundle{Name: "Number"}, true},
		{"/Applications/Large.app", Bundle{Name: "Large"}, false},
		{"/Applications/Folder.app", Bundle{Name: "Folder"}, false},
		{"/Applications/Gone.app", Bundle{Name: "Gone"}, false},
	}
	files := tree(t)
	for _, test := range tests {
		test.want.Path = test.dir
		if got, err := Read(files, test.dir); got != test.want || (err == nil) != test.ok {
			t.Errorf("%s: got %+v, %v; want %+v, ok %v", test.dir, got, err, test.want, test.ok)
		}
	}
}

// FuzzRead: whatever Info.plist holds, the bundle has a name, and no text is longer than it may be.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"Google Chrome", "Safari", "Broken", "Number"} {
		text, err := fs.ReadFile(tree(f), "Applications/"+name+".app/Contents/Info.plist")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, _ := Read(fstest.MapFS{"X.app/Contents/Info.plist": {Data: text, Mode: 0o644}}, "/X.app")
		for _, s := range []string{b.ID, b.Name, b.Version} {
			if len(s) > maxText || !utf8.ValidString(s) {
				t.Fatalf("text %q", s)
			}
		}
		if b.Name == "" || b.Path != "/X.app" {
			t.Fatalf("got %+v", b)
		}
	})
}

// TestOverflowingString is a string whose length, added to where it begins, overflows to what is inside the file. It is why
// howett.net/plist does not read these files: should it begin to refuse the list, it may.
func TestOverflowingString(t *testing.T) {
	list := []byte("bplist00")
	objects := []int{len(list)}
	list = append(list, 0xd1, 1, 2) // a dictionary of one pair
	objects = append(objects, len(list))
	list = append(list, "\x5f\x10\x12CFBundleIdentifier"...)
	objects = append(objects, len(list))
	list = append(list, 0x5f, 0x13) // ASCII, its length an integer of 8 bytes
	list = binary.BigEndian.AppendUint64(list, -uint64(len(list)+8))
	table := len(list)
	for _, at := range objects {
		list = append(list, byte(at))
	}
	trailer := make([]byte, binaryTrailer)
	trailer[6], trailer[7] = 1, 1
	binary.BigEndian.PutUint64(trailer[8:], uint64(len(objects)))
	binary.BigEndian.PutUint64(trailer[24:], uint64(table))
	list = append(list, trailer...)
	texts, err := topTexts(list)
	if id, ok := texts["CFBundleIdentifier"]; err != nil || ok {
		t.Errorf("got %q, %v; want no identifier", id, err)
	}
	var library struct {
		ID string `plist:"CFBundleIdentifier"`
	}
	if _, err := plist.Unmarshal(list, &library); err != nil || uint(len(library.ID)) <= uint(len(list)) {
		t.Errorf("the library says %v and has %d bytes: look again whether it may read Info.plist", err, len(library.ID))
	}
}
