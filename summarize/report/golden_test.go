package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/summarize"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// rendered is s in the form that opts name.
func rendered(t testing.TB, s *summarize.Summary, opts Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, s, opts); err != nil {
		t.Fatalf("Write(%+v): %v", opts, err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	forms := []struct {
		suffix string
		opts   Options
	}{
		{"80.txt", Options{Width: 80}},
		{"132.txt", Options{Width: 132, Verbose: true}},
		{"json", Options{Format: JSON, Flows: true}},
		{"csv", Options{Format: CSV}},
		{"flows.csv", Options{Format: CSV, Flows: true}},
		{"html", Options{Format: HTML}},
	}
	for name, s := range sampleSummaries() {
		for _, form := range forms {
			t.Run(name+"."+form.suffix, func(t *testing.T) {
				form.opts.ToolVersion = "1.2.3"
				got := rendered(t, s, form.opts)
				if again := rendered(t, s, form.opts); again != got {
					t.Errorf("two runs differ: %s", cmp.Diff(got, again))
				}
				compareGolden(t, filepath.Join("testdata", name+"."+form.suffix), got)
			})
		}
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update makes it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; go test -update accepts it):\n%s", path, diff)
	}
}
