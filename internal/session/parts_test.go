package session_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

const (
	partSeconds = 100_000_000_000 // nanoseconds that a file covers
	late        = 10_000_000_000  // into a file: nothing is told of the one before any more
)

// beginRun begins the first file of a run; must fails the test at an error.
func beginRun(t *testing.T, out *bytes.Buffer) (w *session.Writer, must func(error)) {
	t.Helper()
	must = func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := session.NewWriter(out, capture.WriterOptions{Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}})
	must(err)
	w.Rotate("run")
	return w, must
}

// packetOf is a packet of the sockets of these tests.
func packetOf(proto flows.Protocol, at int64) *capture.Packet {
	src, dst := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	frame := fixtures.TCP(src, dst, "A", 1, 1, []byte("frame"))
	if proto == flows.UDP {
		frame = fixtures.UDP(src, dst, []byte("frame"))
	}
	return &capture.Packet{Data: frame, Length: len(frame), LinkType: 1, Time: at}
}

// byTime puts events in the order of their times: that of a file is another.
func byTime(events []pidmap.Event) []pidmap.Event {
	return slices.SortedStableFunc(slices.Values(events), func(a, b pidmap.Event) int { return cmp.Compare(a.Time, b.Time) })
}

// rotated is a run of three files with a packet in each: a socket that is there all the time, one that is opened in the first file
// and gone long before the third, one that is opened in the second.
func rotated(t *testing.T) (files [][]byte, events []pidmap.Event) {
	t.Helper()
	var out [3]bytes.Buffer
	w, must := beginRun(t, &out[0])
	made := func(at int64, cookie uint64, p pidmap.Process) pidmap.Event {
		return pidmap.Event{Kind: pidmap.SocketMade, Time: at, Socket: socketOf(flows.TCP, cookie, "192.0.2.1:1", "192.0.2.2:2"), Process: p}
	}
	told := [][]pidmap.Event{
		{made(1, 1, program(1, "stays")), made(2, 2, program(2, "goes")), {Kind: pidmap.SocketClosed, Time: 3, Socket: pidmap.Socket{Cookie: 2}},
			{Kind: pidmap.SocketUsed, Time: 4, Socket: pidmap.Socket{Cookie: 1}, User: pidmap.UserKey{PID: 1}, Moved: pidmap.Moved{Tx: 1}}},
		{made(partSeconds+late, 3, program(3, "comes")), {Kind: pidmap.SocketUsed, Time: partSeconds + late, Socket: pidmap.Socket{Cookie: 1}, User: pidmap.UserKey{PID: 1}, Moved: pidmap.Moved{Tx: 2}}},
		{{Kind: pidmap.ProcessExit, Time: 2*partSeconds + late, Process: program(3, "comes")}},
	}
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 1}}, false))
	for i := range out {
		if i > 0 {
			must(w.Next(&out[i], int64(i)*partSeconds, func() error { return nil }))
		}
		must(w.WriteEvents(told[i]))
		events = append(events, told[i]...)
		must(w.WritePacket(packetOf(flows.TCP, int64(i)*partSeconds+5)))
	}
	w.SetStats(0, capture.Stats{Received: 3, Known: true})
	counted := []summarize.InterfaceInput{{Name: "eth0", Readings: &summarize.InterfaceReadings{}}}
	must(w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1, End: 3 * partSeconds}, Interfaces: counted}, true))
	must(w.Close())
	for i := range out {
		files = append(files, out[i].Bytes())
	}
	return files, events
}

// readParts reads files as those of one run, and counts what is open at the end.
func readParts(t *testing.T, files ...[]byte) (in summarize.Input, events []pidmap.Event, packets int, err error) {
	t.Helper()
	open := 0
	var parts []session.Part
	for _, file := range files {
		parts = append(parts, session.Part{
			Name:  "s.pcapng",
			Open:  func() (capture.Source, error) { open++; return capture.NewReader(bytes.NewReader(file), "s.pcapng") },
			Close: func() error { open--; return nil },
		})
	}
	s, err := session.NewChain(parts)
	if err != nil {
		t.Fatal(err)
	}
	r := session.NewReplay([]*session.Source{s})
	var p capture.Packet
	for err == nil {
		if err = s.Next(&p); err == nil {
			packets++
		}
		events = append(events, r.Events()...)
		if open > 1 {
			t.Fatalf("%d files are open at a time, want 1", open)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	in.Interfaces = []summarize.InterfaceInput{{Name: "eth0", Received: s.Interfaces()[0].Stats.Received}}
	r.Complete(&in)
	if open != 0 {
		t.Errorf("%d files are open at the end, want none", open)
	}
	return in, events, packets, err
}

// TestParts: the files of a run tell together what was written, each event once; each by itself whose its sockets are.
func TestParts(t *testing.T) {
	files, want := rotated(t)
	names := func(events []pidmap.Event) (list []string) {
		for _, e := range events {
			if e.Kind == pidmap.SocketMade {
				list = append(list, e.Process.Name)
			}
		}
		return list
	}
	for _, c := range []struct {
		name    string
		files   [][]byte
		owners  []string
		packets int
		start   int64
		said    []string // in what the report cannot say
		err     string
		uncount string // why the interface cannot be held against the kernel
	}{
		{"all", files, []string{"stays", "goes", "comes"}, 3, 1, nil, "", ""},
		{"the first", files[:1], []string{"stays", "goes"}, 1, 1, []string{"goes on in another file: file 1 of the run is the last"}, "", ""},
		{"the second", files[1:2], []string{"stays", "comes"}, 1, partSeconds, []string{"began in another file: file 1 of the run is not given", "goes on in another file: file 2 of the run"}, "", ""},
		{"the last", files[2:], []string{"stays", "comes"}, 1, 2 * partSeconds, []string{"began in another file: files 1 to 2 of the run are not given"}, "", "the capture began in another file"},
		{"one missing", [][]byte{files[0], files[2]}, []string{"stays", "goes", "stays", "comes"}, 2, 1, nil, "file 2 of the run is not given", "file 2 of the run is not given"},
		{"one cut", [][]byte{files[0], files[1][:len(files[1])-30], files[2]}, []string{"stays", "goes", "comes", "stays", "comes"}, 3, 1, nil, "cut short", "a file of the run could not be read to its end"},
		{"one cut before its owners", [][]byte{files[0], files[1][:bytes.Index(files[1], []byte(`"again"`))], files[2]}, []string{"stays", "goes", "stays", "comes"}, 2, 1, nil, "cut short", "a file of the run could not be read to its end"},
		{"one cut between blocks", [][]byte{files[0], withoutLastBlock(files[1]), files[2]}, []string{"stays", "goes", "comes", "stays", "comes"}, 3, 1, nil, "file 2 of the run is without an end", "a file of the run could not be read to its end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, events, packets, err := readParts(t, c.files...)
			if got := names(events); !slices.Equal(got, c.owners) || packets != c.packets {
				t.Errorf("got owners %v, %d packets, want %v, %d", got, packets, c.owners, c.packets)
			}
			if in.Window.Start != c.start {
				t.Errorf("begins at %d, want %d", in.Window.Start, c.start)
			}
			if len(in.Degraded) != len(c.said) {
				t.Errorf("got %q, want %q", in.Degraded, c.said)
			}
			for i, want := range c.said {
				if i < len(in.Degraded) && !strings.Contains(in.Degraded[i], want) {
					t.Errorf("got %q, want %q in it", in.Degraded[i], want)
				}
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got error %v, want %q", err, c.err)
			}
			if got := in.Interfaces[0].Readings; got != nil && got.Unavailable != c.uncount || got == nil && c.uncount != "" {
				t.Errorf("the interface: got %+v, want unavailable %q", got, c.uncount)
			}
			if c.name == "all" {
				if diff := gocmp.Diff(byTime(want), byTime(events)); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if in.Interfaces[0].Received != 3 {
					t.Errorf("received %d packets, want 3", in.Interfaces[0].Received)
				}
			}
		})
	}
}

// TestHead: the files of a run are told from others', and their order from themselves.
func TestHead(t *testing.T) {
	files, _ := rotated(t)
	alone := write(t, func(w *session.Writer) error { return w.WriteState(&summarize.Input{}, true) })
	for i, want := range []struct {
		file []byte
		run  string
		part int
	}{{files[0], "run", 0}, {files[1], "run", 1}, {files[2], "run", 2}, {alone, "", 0}, {files[0][:100], "", 0}} {
		source, err := capture.NewReader(bytes.NewReader(want.file), "s.pcapng")
		if err != nil {
			t.Fatal(err)
		}
		if id := session.Head(source); id.Run != want.run || id.Part != want.part || id.Session != (want.run != "") {
			t.Errorf("file %d: got %+v, want %q, %d", i, id, want.run, want.part)
		}
	}
}

// TestPartsJoined puts the files of a run one behind the other in one: nothing that is told again counts twice, and it is said.
func TestPartsJoined(t *testing.T) {
	files, want := rotated(t)
	in, events, packets, err := readParts(t, slices.Concat(files...))
	if err == nil || !strings.Contains(err.Error(), "one behind the other") {
		t.Errorf("got error %v, want one that says what the file is", err)
	}
	if packets != 3 || len(events) != len(want) {
		t.Errorf("got %d packets and %d events, want 3 and %d", packets, len(events), len(want))
	}
	if !in.Live {
		t.Error("it is no session")
	}
}

// TestPartsTwice: a part of a run beside a file in which it was put behind another one is known as a copy.
func TestPartsTwice(t *testing.T) {
	files, _ := rotated(t)
	joined := slices.Concat(files[0], files[1])
	for _, c := range []struct {
		name  string
		files [][]byte
		want  [2]string
	}{
		{"a part that is in a joined file", [][]byte{joined, files[1]}, [2]string{"1", "0"}},
		{"and another between them", [][]byte{files[0], slices.Concat(files[1], files[2]), files[2]}, [2]string{"2", "1"}},
		{"a part that is not", [][]byte{joined, files[2]}, [2]string{}},
		{"all parts", files, [2]string{}},
	} {
		var parts []session.Part
		for i, file := range c.files {
			name := strconv.Itoa(i)
			parts = append(parts, session.Part{
				Name: name, Open: func() (capture.Source, error) { return capture.NewReader(bytes.NewReader(file), name) }, Close: func() error { return nil },
			})
		}
		s, err := session.NewChain(parts)
		if err != nil {
			t.Fatal(err)
		}
		var p capture.Packet
		for s.Next(&p) == nil {
		}
		if name, earlier := session.NewReplay([]*session.Source{s}).Copy(); [2]string{name, earlier} != c.want {
			t.Errorf("%s: %q is a copy of %q, want %q", c.name, name, earlier, c.want)
		}
	}
}

// TestPartsUnended: of a run that was not ended the file is named that lacks its end.
func TestPartsUnended(t *testing.T) {
	files, _ := rotated(t)
	var parts []session.Part
	for i, file := range [][]byte{files[0], files[1], withoutLastBlock(withoutLastBlock(files[2]))} {
		name := "s.pcapng" + strconv.Itoa(i)
		parts = append(parts, session.Part{
			Name: name, Open: func() (capture.Source, error) { return capture.NewReader(bytes.NewReader(file), name) }, Close: func() error { return nil },
		})
	}
	s, err := session.NewChain(parts)
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	for err == nil {
		err = s.Next(&p)
	}
	if want := "s.pcapng2: file is cut short: the session was not ended"; !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q in it", err, want)
	}
}

// withoutLastBlock is a pcapng file but for its last block.
func withoutLastBlock(file []byte) []byte {
	return file[:len(file)-int(binary.LittleEndian.Uint32(file[len(file)-4:]))]
}
