package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"

	"apptap/capture"
	"apptap/internal/pipeline"
)

// recorder writes the captured packets to a file. A nil recorder does nothing.
type recorder struct {
	name   string
	writer *capture.Writer
	file   io.Closer
}

func openRecorder(s streams, f *captureFlags, c *pipeline.Config) (*recorder, error) {
	if f.record == "" {
		return nil, nil
	}
	r := &recorder{name: f.record}
	out := s.out
	if f.record != "-" {
		if err := checkWritable(f.record); err != nil {
			return nil, err
		}
		file, err := os.Create(f.record)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.record, pathCause(err))
		}
		out, r.file = file, file
	}
	var interfaces []capture.Interface
	for _, source := range c.Sources {
		interfaces = append(interfaces, source.Interfaces()...)
	}
	writer, err := capture.NewWriter(out, capture.WriterOptions{
		OS: runtime.GOOS, Hardware: runtime.GOARCH, Application: "apptap " + version(),
		Filter: c.Source.Filter, Interfaces: interfaces,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.record, err)
	}
	r.writer, c.Record = writer, writer
	return r, nil
}

// close writes what was received and dropped on each interface, and ends the file. Its error is the first that the
// recording met, in the run or here.
func (r *recorder) close(result pipeline.Result) error {
	if r == nil {
		return nil
	}
	for i, described := range result.Interfaces {
		r.writer.SetStats(i, described.Stats)
	}
	err := cmp.Or(result.RecordErr, r.writer.Close())
	if r.file != nil {
		err = cmp.Or(err, r.file.Close())
	}
	if err != nil {
		return withHint(fmt.Errorf("write %s: %w", r.name, pathCause(err)), "the recording ended there and can be replayed; the report is of the whole capture")
	}
	return nil
}
