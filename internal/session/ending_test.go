package session_test

import (
	"bytes"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// toldLate is a run of six files with a packet in each, which begin so far apart in nanoseconds. Who has the socket of a packet is told once the
// next file has begun. ended counts the files that were ended before the run was.
func toldLate(t *testing.T, apart int64) (files [][]byte, want []pidmap.Event, ended int) {
	t.Helper()
	var out [6]bytes.Buffer
	w, must := beginRun(t, &out[0])
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 1}}, false))
	for i := range out {
		at := 1 + int64(i)*apart
		if i > 0 {
			must(w.Next(&out[i], at, func() error { ended++; return nil }))
			events := []pidmap.Event{
				{Kind: pidmap.SocketMade, Time: at - 1, Socket: socketOf(flows.UDP, uint64(i), "192.0.2.1:1", "192.0.2.2:2"), Process: program(int32(i), "late")},
				{Kind: pidmap.SocketClosed, Time: at, Socket: socketOf(flows.UDP, uint64(i), "192.0.2.1:1", "192.0.2.2:2"), Datagrams: &pidmap.Datagrams{Sent: 1}},
			}
			must(w.WriteEvents(events))
			want = append(want, events...)
		}
		must(w.WritePacket(packetOf(flows.UDP, at)))
	}
	before := ended
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 6 * apart}}, true))
	must(w.Close())
	if ended != 5 {
		t.Errorf("%d files were ended, want 5", ended)
	}
	for i := range out {
		files = append(files, out[i].Bytes())
	}
	return files, want, before
}

// cookies are those of the sockets that are made, and of those whose datagrams are counted.
func cookies(events []pidmap.Event) (made, counted []uint64) {
	for _, e := range events {
		switch {
		case e.Kind == pidmap.SocketMade:
			made = append(made, e.Socket.Cookie)
		case e.Datagrams != nil:
			counted = append(counted, e.Socket.Cookie)
		}
	}
	slices.Sort(made)
	slices.Sort(counted)
	return made, counted
}

// TestToldLate: a file by itself has what is told of its sockets after the next one began, and all files together have it once. Files do not
// wait for ever, nor any number of them.
func TestToldLate(t *testing.T) {
	for _, c := range []struct {
		name  string
		apart int64
		ended int // before the run is
	}{
		{"files of a minute", 60_000_000_000, 4},
		{"files of a millisecond", 1_000_000, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, want, ended := toldLate(t, c.apart)
			if ended != c.ended {
				t.Errorf("%d files were ended before the last was, want %d", ended, c.ended)
			}
			for i := range files[:5] {
				_, events, _, err := readParts(t, files[i])
				if made, _ := cookies(events); err != nil || !slices.Contains(made, uint64(i+1)) {
					t.Errorf("file %d by itself: sockets %v (%v), want %d too", i, made, err, i+1)
				}
			}
			_, events, _, err := readParts(t, files...)
			if err != nil || len(events) != len(want) {
				t.Errorf("all: %d events (%v), want %d", len(events), err, len(want))
			}
			for cut := range files[:5] {
				given := slices.Clone(files)
				given[cut] = files[cut][:bytes.LastIndex(files[cut], []byte("frame"))+20] // all that is told late is behind that
				_, events, _, err := readParts(t, given...)
				made, counted := cookies(events)
				if made = slices.Compact(made); err == nil || !slices.Equal(made, []uint64{1, 2, 3, 4, 5}) {
					t.Errorf("file %d cut: sockets %v (%v), want all and an error", cut, made, err)
				}
				if !slices.Equal(counted, made) {
					t.Errorf("file %d cut: datagrams of %v are counted, want each once", cut, counted)
				}
			}
		})
	}
}

// TestCutHead: a session that is cut before its first record does not make another one a capture that tells of no owners.
func TestCutHead(t *testing.T) {
	files, _ := rotated(t)
	var sources []*session.Source
	for _, file := range [][]byte{files[0][:100], files[1]} {
		source, err := capture.NewReader(bytes.NewReader(file), "s.pcapng")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, session.NewSource(source, "s.pcapng"))
	}
	var p capture.Packet
	for _, s := range sources {
		for s.Next(&p) == nil {
		}
	}
	in := summarize.Input{}
	if session.NewReplay(sources).Complete(&in); !in.Live {
		t.Error("the whole session counts as a capture")
	}
	in = summarize.Input{}
	if session.NewReplay(sources[:1]).Complete(&in); in.Live {
		t.Error("a file without any record counts as a session")
	}
}
