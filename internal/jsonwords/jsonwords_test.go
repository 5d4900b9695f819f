package jsonwords

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	type inner struct {
		Text string `json:"text"`
	}
	for in, want := range map[string]string{
		``:                  "the JSON object has no end",
		`{"pid": 1`:         "the JSON object has no end",
		`hello`:             "no JSON object: byte 1 is wrong",
		`{"pid": 1,}`:       "no JSON object: byte 11 is wrong",
		`[]`:                "want an object in { }, got a list",
		`"x"`:               "want an object in { }, got a text",
		`{"pid": "x"}`:      "pid: want a whole number of up to 32 bits, got a text",
		`{"pid": 1.5}`:      "pid: want a whole number of up to 32 bits, got 1.5",
		`{"uid": -1}`:       "uid: want a whole number from 0 of up to 32 bits, got -1",
		`{"name": 5}`:       "name: want a text in double quotes, got a number",
		`{"name": {}}`:      "name: want a text in double quotes, got an object",
		`{"list": "x"}`:     "list: want a list in [ ], got a text",
		`{"yes": "x"}`:      "yes: want true or false, got a text",
		`{"in":{"text":1}}`: "in.text: want a text in double quotes, got a number",
	} {
		var v struct {
			PID  int32    `json:"pid"`
			UID  *uint32  `json:"uid"`
			Name string   `json:"name"`
			List []string `json:"list"`
			Yes  bool     `json:"yes"`
			In   inner    `json:"in"`
		}
		err := Of(json.Unmarshal([]byte(in), &v))
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %q", in, err, want)
		}
		if decoded := Of(json.NewDecoder(strings.NewReader(in)).Decode(&v)); decoded == nil || decoded.Error() != want {
			t.Errorf("%s, as a stream: got %v, want %q", in, decoded, want)
		}
	}
	if mine := errors.New("mine"); Of(mine) != mine || Of(nil) != nil {
		t.Error("what is not of the JSON is changed")
	}
}
