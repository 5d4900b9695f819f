package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestEveryFieldIsDocumented: a field or column comes with its line in docs/scripting.md.
func TestEveryFieldIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/scripting.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	jsonFields(reflect.TypeFor[jsonReport](), names)
	if len(names) < 50 {
		t.Fatalf("found %d JSON fields: the walk is broken", len(names))
	}
	for _, column := range append(append([]string{}, csvHeader...), csvFlowHeader...) {
		names[column] = true
	}
	for name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/scripting.md does not name `%s`", name)
		}
	}
}
