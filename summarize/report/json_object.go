package report

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// objects appends JSON objects as encoding/json writes them with an indent. It is for what a report has thousands of:
// encoding/json reflects on each and then goes over its text again to indent it, which takes four times as long.
type objects struct {
	b     []byte
	depth int // spaces before the fields of the innermost object
}

// newLine is a line feed and the most spaces that a report needs.
const newLine = "\n                                "

func (o *objects) line() { o.b = append(o.b, newLine[:1+o.depth]...) }

// begin opens an object, end closes it.
func (o *objects) begin() {
	o.b = append(o.b, '{')
	o.depth += 2
}

func (o *objects) end() {
	o.depth -= 2
	if o.b[len(o.b)-1] != '{' { // encoding/json has nothing between the braces of an object without fields
		o.line()
	}
	o.b = append(o.b, '}')
}

// key begins a field.
func (o *objects) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.line()
	o.b = append(append(append(o.b, '"'), name...), `": `...)
}

func (o *objects) text(name, value string) {
	o.key(name)
	o.b = appendText(o.b, value)
}

func (o *objects) number(name string, n uint64) {
	o.key(name)
	o.b = strconv.AppendUint(o.b, n, 10)
}

func (o *objects) count(name string, n int) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *objects) flag(name string, set bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, set)
}

func (o *objects) null(name string) {
	o.key(name)
	o.b = append(o.b, "null"...)
}

// list begins a list as a field; item follows for each of its elements, and endList.
func (o *objects) list(name string) {
	o.key(name)
	o.b = append(o.b, '[')
	o.depth += 2
}

func (o *objects) item(i int) {
	if i > 0 {
		o.b = append(o.b, ',')
	}
	o.line()
}

func (o *objects) endList(length int) {
	o.depth -= 2
	if length > 0 {
		o.line()
	}
	o.b = append(o.b, ']')
}

// appendText appends a JSON string. What is not plain ASCII is encoding/json's to escape.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var escaped bytes.Buffer
			encoder := json.NewEncoder(&escaped)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(s) // a string and a buffer have no errors
			return append(b, bytes.TrimSuffix(escaped.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
