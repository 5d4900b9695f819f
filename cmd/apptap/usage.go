package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"apptap/internal/usage"
	"apptap/summarize/report"
)

// usageOf reads what a file says of apps and destinations: a report in JSON, or a capture that one is made of.
func usageOf(ctx context.Context, s streams, name string) (*usage.Report, error) {
	json, in, err := looksLikeJSON(s, name)
	if err != nil {
		return nil, err
	}
	s.in = in
	if !json {
		return usageOfCapture(ctx, s, name)
	}
	file, err := openFile(ctx, s.in, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := usage.Read(file)
	if errors.Is(err, usage.ErrReport) {
		return nil, withHint(fmt.Errorf("read %s: %w", name, err), "give a report of apptap --format json, or a capture")
	}
	return r, err
}

// looksLikeJSON says whether a file begins as a JSON object does, which no capture and no compression does. in is
// standard input with nothing taken from it.
func looksLikeJSON(s streams, name string) (json bool, in io.Reader, err error) {
	if name == "-" {
		buffered := bufio.NewReader(s.in)
		start, _ := buffered.Peek(64) // an error comes again
		return isObject(start), buffered, nil
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return false, s.in, nil // openFile has the words
	}
	f, err := os.Open(name)
	if err != nil {
		return false, s.in, nil
	}
	defer f.Close()
	start := make([]byte, 64)
	n, _ := io.ReadFull(f, start)
	return isObject(start[:n]), s.in, nil
}

func isObject(start []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{"))
}

func usageOfCapture(ctx context.Context, s streams, name string) (*usage.Report, error) {
	f := replayFlags{tunnel: "outer"}
	f.by = "name"
	f.most = defaultMaxFlows
	result, err := f.replay(ctx, s, []string{name}, "", nil)
	if err != nil {
		return nil, err
	}
	warn(s, result.Warnings)
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	var text bytes.Buffer
	if err := report.Write(&text, result.Summary, report.Options{Format: report.JSON, ToolVersion: version()}); err != nil {
		return nil, err
	}
	return usage.Read(&text)
}
