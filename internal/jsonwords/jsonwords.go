// Package jsonwords answers what is wrong with a JSON text, in words for people who write it: which member, what it is and what it
// should be. Who reads JSON that somebody else wrote calls it; it reads none itself.
package jsonwords

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Of is what err, of encoding/json, says, without the words of Go. An error that is not of the JSON stays as it is. Offsets are bytes
// from the text's beginning, the first one 1.
func Of(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON object has no end")
	case errors.As(err, &syntax):
		return syntaxWords(syntax)
	case errors.As(err, &kind):
		return kindWords(kind)
	}
	return err
}

func syntaxWords(err *json.SyntaxError) error {
	if strings.HasPrefix(err.Error(), "unexpected end") {
		return errors.New("the JSON object has no end")
	}
	return fmt.Errorf("no JSON object: byte %d is wrong", max(err.Offset, 1))
}

func kindWords(err *json.UnmarshalTypeError) error {
	want, got := wanted(err.Type), given(err.Value)
	if err.Field == "" {
		return fmt.Errorf("want %s, got %s", want, got)
	}
	return fmt.Errorf("%s: want %s, got %s", err.Field, want, got)
}

// wanted is what JSON has for a type.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text in double quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list in [ ]"
	case reflect.Struct, reflect.Map, reflect.Interface:
		return "an object in { }"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 of up to %d bits", t.Bits())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of up to %d bits", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "something else"
}

// given is what encoding/json calls a value: "string", "number", "number 1.5".
func given(value string) string {
	switch value {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	}
	if number, ok := strings.CutPrefix(value, "number "); ok {
		return number
	}
	return "a " + value
}
