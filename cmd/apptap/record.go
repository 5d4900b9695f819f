package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"apptap/capture"
	"apptap/internal/pipeline"
	"apptap/internal/session"
	"apptap/summarize"
)

// recorder writes the session to a file: the captured packets, and what else the report is made of. A nil recorder does nothing.
type recorder struct {
	name       string
	writer     *session.Writer
	compressor capture.Compressor // nil = none
	file       io.Closer
}

func openRecorder(s streams, f *captureFlags, c *pipeline.Config) (*recorder, error) {
	if f.record == "" {
		return nil, nil
	}
	r := &recorder{name: f.record}
	out, err := r.open(s)
	if err != nil {
		return nil, err
	}
	var interfaces []capture.Interface
	for _, source := range c.Sources {
		interfaces = append(interfaces, source.Interfaces()...)
	}
	writer, err := session.NewWriter(out, capture.WriterOptions{
		OS: runtime.GOOS, Hardware: runtime.GOARCH, Application: "apptap " + version(),
		Filter: c.Source.Filter, Interfaces: interfaces, WiresharkProcesses: f.wireshark,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", f.record, err)
	}
	r.writer, c.Record, c.Journal = writer, writer, writer
	return r, nil
}

// open makes the file, and says where to write.
func (r *recorder) open(s streams) (io.Writer, error) {
	if r.name == "-" {
		return s.out, nil
	}
	if err := checkWritable(r.name); err != nil {
		return nil, err
	}
	file, err := os.Create(r.name)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", r.name, pathCause(err))
	}
	r.file = file
	if r.compressor, err = capture.NewCompressor(r.name, file); err != nil {
		return nil, fmt.Errorf("write %s: %w", r.name, err)
	}
	if r.compressor != nil {
		return r.compressor, nil
	}
	return file, nil
}

// close writes the names of addresses and what was received and dropped on each interface, and ends the file. Its error is the first that the
// recording met, in the run or here.
func (r *recorder) close(result pipeline.Result) error {
	if r == nil {
		return nil
	}
	for i, described := range result.Interfaces {
		r.writer.SetStats(i, described.Stats)
	}
	err := cmp.Or(result.RecordErr, r.writer.WriteNames(addressNames(result.Summary)), r.writer.Close())
	if r.compressor != nil {
		err = cmp.Or(err, r.compressor.Close())
	}
	if r.file != nil {
		err = cmp.Or(err, r.file.Close())
	}
	if err != nil {
		return withHint(fmt.Errorf("write %s: %w", r.name, pathCause(err)), "the recording ended there and can be replayed; the report is of the whole capture")
	}
	return nil
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
		if d := &list[i]; d.NameSource != "none" {
			for _, addr := range d.Addresses {
				names[addr] = append(names[addr], d.Name)
			}
		}
	}
}
