package session

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStateIsDocumented holds the table of docs/session-format.md against the members that are written.
func TestStateIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/session-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### state\n")
	section, _, _ = strings.Cut(section, "\n### ")
	var listed []string
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed = append(listed, word[1])
			}
		}
	}
	written := members(reflect.TypeFor[stateRecord]())
	slices.Sort(listed)
	slices.Sort(written)
	if listed, written = slices.Compact(listed), slices.Compact(written); !slices.Equal(listed, written) {
		t.Errorf("docs/session-format.md lists the members\n%q, a state has\n%q", listed, written)
	}
}

// members are the names that a record and those within it have in JSON.
func members(r reflect.Type) (names []string) {
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Slice {
		r = r.Elem()
	}
	if r.Kind() != reflect.Struct {
		return nil
	}
	for i := range r.NumField() {
		if name, _, _ := strings.Cut(r.Field(i).Tag.Get("json"), ","); name != "" {
			names = append(append(names, name), members(r.Field(i).Type)...)
		}
	}
	return names
}
