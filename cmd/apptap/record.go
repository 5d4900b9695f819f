package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"apptap/capture"
	"apptap/internal/pipeline"
	"apptap/internal/session"
	"apptap/summarize"
)

// recorder writes the session to a file or several: the captured packets, and what else the report is made of. A nil recorder does
// nothing.
type recorder struct {
	writer   *session.Writer
	out      *outFile  // nil = standard output
	rotating *rotating // nil = one file
	nameless bool      // names of addresses are not written
	exported bool      // packets of other captures, which can be written again
}

// openRecorder opens the file, unless pipe is it and open already, and has the run write to it.
func openRecorder(ctx context.Context, s streams, f *captureFlags, c *pipeline.Config, pipe *outFile) (*recorder, error) {
	if f.record == "" {
		return nil, nil
	}
	mapper, err := f.mapper()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	r, out := &recorder{out: pipe}, io.Writer(nil)
	if pipe != nil {
		out = pipe.writer()
	} else if r, out, err = newRecorder(ctx, s, f.rotation.path(f.record, begun, 0)); err != nil {
		return nil, err
	}
	var interfaces []capture.Interface
	for _, source := range c.Sources {
		interfaces = append(interfaces, source.Interfaces()...)
	}
	writer, err := session.NewWriter(out, capture.WriterOptions{
		OS: runtime.GOOS, Hardware: runtime.GOARCH, Application: "apptap " + version(),
		Filter: anonymizedFilter(mapper, c.Source.Filter), Interfaces: anonymizedInterfaces(mapper, interfaces), WiresharkProcesses: f.wireshark,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.record, err)
	}
	if f.headers {
		writer.KeepHeaders()
	}
	r.writer, r.nameless = writer, f.anonymize
	to := recording(writer)
	if f.rotation != (rotation{}) {
		writer.Rotate(newRun())
		r.rotating = &rotating{Writer: writer, when: f.rotation, name: f.record, report: f.file, out: r.out, slot: begun, files: 1, fresh: true}
		to = r.rotating
	}
	to = anonymized(mapper, to)
	c.Record, c.Journal = to, to
	return r, nil
}

// newRecorder makes the file, and says where to write.
func newRecorder(ctx context.Context, s streams, name string) (*recorder, io.Writer, error) {
	if name == "-" {
		return &recorder{}, s.out, nil
	}
	out, err := createFile(ctx, s.err, name)
	if err != nil {
		return nil, nil, err
	}
	return &recorder{out: out}, out.writer(), nil
}

// endsWith makes the end of ctx end the wait for the reader of a named pipe.
func (r *recorder) endsWith(ctx context.Context) (stop func() bool) {
	if r == nil || r.out == nil || r.rotating != nil {
		return func() bool { return true }
	}
	return r.out.waiting.after(ctx)
}

// close writes the names of addresses and what was received and dropped on each interface, and ends the file. Its error is the first that the
// recording met, in the run or here.
func (r *recorder) close(result pipeline.Result) error {
	if r == nil {
		return nil
	}
	if r.rotating != nil {
		r.out = r.rotating.out
	}
	for i, described := range result.Interfaces {
		r.writer.SetStats(i, described.Stats)
	}
	var names []capture.Name
	if !r.nameless {
		names = addressNames(result.Summary)
	}
	err := cmp.Or(result.RecordErr, r.writer.WriteNames(names), r.writer.Close())
	name := "-"
	if r.out != nil {
		name, err = r.out.name, cmp.Or(err, r.out.end())
	}
	if err != nil {
		return r.failed(fmt.Errorf("write %s: %w", name, pathCause(err)))
	}
	return nil
}

// failed is the error of close with what there is now.
func (r *recorder) failed(err error) error {
	replayable := r.out != nil && r.out.failed() || r.rotating != nil && r.rotating.files > 1
	if r.exported {
		return withHint(err, exportAgain(err, replayable, r.out != nil && r.out.info.Mode().IsRegular()))
	}
	hint := "the report is of the whole capture"
	if replayable {
		hint = "the recording ended there and can be replayed; " + hint
	}
	return withHint(err, hint)
}

// addressNames are the names that a report has for addresses, for other programs that read the recording.
func addressNames(s *summarize.Summary) []capture.Name {
	names := map[netip.Addr][]string{}
	for i := range s.Apps {
		addNames(names, s.Apps[i].Destinations)
	}
	addNames(names, s.Unattributed.Destinations)
	var list []capture.Name
	for _, addr := range slices.SortedFunc(maps.Keys(names), netip.Addr.Compare) {
		slices.Sort(names[addr])
		list = append(list, capture.Name{Addr: addr, Names: slices.Compact(names[addr])})
	}
	return list
}

func addNames(names map[netip.Addr][]string, list []summarize.Destination) {
	for i := range list {
		if d := &list[i]; d.NameSource != "none" && d.NameSource != "ech_outer" {
			for _, addr := range d.Addresses {
				names[addr] = append(names[addr], d.Name)
			}
		}
	}
}
