package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"apptap/capture"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"

	"github.com/google/go-cmp/cmp"
)

// withBlock is a file with one block of our type.
func withBlock(t testing.TB, body string) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.WriteBlock(session.BlockType, []byte(body)), w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestRecords reads blocks that nobody but a newer, a broken or a hostile writer makes.
func TestRecords(t *testing.T) {
	const magic = "apptap.session/1\n"
	const process = `{"process":{"number":1,"pid":7,"name":"curl"}}` + "\n"
	for _, tt := range []struct {
		name, body string
		events     int
		err        string // "" = none
	}{
		{"another program's block", "somebody.else/1\n{}", 0, ""},
		{"no bytes", "", 0, ""},
		{"magic alone", magic, 0, ""},
		{"unknown record", magic + `{"weather":{"rain":true}}`, 0, ""},
		{"unknown kind of event", magic + `{"event":{"kind":"socket_sold","time":5}}`, 0, ""},
		{"unknown moment", magic + `{"counters":{"moment":"noon"}}`, 0, ""},
		{"unknown field", magic + process + `{"event":{"kind":"process_exit","time":5,"process":1,"mood":"good"}}`, 1, ""},
		{"padding", magic + "\n\n" + process + `{"event":{"kind":"process_exit","time":5,"process":1}}` + "\n\x00\x00", 1, ""},
		{"newer format", "apptap.session/2\n{}", 0, `format "2" are not understood`},
		{"format without an end", "apptap.session/", 0, `format "" are not understood`},
		{"no JSON", magic + "{\n{]\n" + process, 0, "2 session records make no sense"},
		{"told again in no part", magic + process + `{"again":true,"in":-7,"event":{"kind":"process_exit","time":5,"process":1}}`, 1, ""},
		{"told ahead and never", magic + process + `{"state":{"final":true,"part":{"run":"r","part":3}}}` + "\n" +
			`{"again":true,"in":5,"event":{"kind":"process_exit","time":5,"process":1}}` + "\n" + `{"again":true,"in":9223372036854775807,"event":{"kind":"process_exit","time":5,"process":1}}`, 2, ""},
		{"process not described", magic + `{"event":{"kind":"process_exit","time":5,"process":9}}`, 0, "process 9 is not described"},
		{"holder not described", magic + `{"event":{"kind":"socket_seen","time":5,"holders":[4]}}`, 0, "process 4 is not described"},
		{"process without a number", magic + `{"process":{"pid":1}}`, 0, "process without a number"},
		{"no addresses", magic + `{"event":{"kind":"socket_made","socket":{"proto":6}}}`, 0, "want two addresses with ports"},
		{"bad address", magic + `{"event":{"kind":"socket_made","socket":{"proto":6,"local":"nowhere:1"}}}`, 0, "no sense"},
		{"deep", magic + strings.Repeat("[", 100000), 0, "no sense"},
		{"bad base64", magic + `{"process":{"number":1,"name":{"base64":"*"}}}`, 0, "no sense"},
		{"name of a wrong type", magic + `{"process":{"number":1,"name":[1]}}`, 0, "no sense"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, events, _, err := replay(t, withBlock(t, tt.body))
			if len(events) != tt.events {
				t.Errorf("got %d events, want %d", len(events), tt.events)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
		})
	}
}

// TestCutEverywhere cuts a session behind every byte: what is read is a beginning of what was written, and what is
// missing is said, unless it is nothing.
func TestCutEverywhere(t *testing.T) {
	var want []pidmap.Event
	p := capture.Packet{Data: []byte("a frame of some bytes"), Length: 21, LinkType: 1, Time: 1e18}
	final := summarize.Input{Window: summarize.Window{Start: 1e18, End: 1e18 + 5e9}}
	file := write(t, func(w *session.Writer) error {
		err := w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1e18, End: 1e18}}, false)
		for i := range 20 {
			e := pidmap.Event{Kind: pidmap.ProcessExit, Time: int64(i), Process: pidmap.Process{Name: fmt.Sprint("p", i/2)}}
			want = append(want, e)
			err = errors.Join(err, w.WriteEvents([]pidmap.Event{e}), w.WritePacket(&p))
		}
		return errors.Join(err, w.WriteState(&final, true))
	})
	state := bytes.Index(file, []byte("apptap.session/"))
	inner := 0
	for cut := state + 4; cut <= len(file); cut++ {
		_, got, packets, err := replay(t, file[:cut])
		if diff := cmp.Diff(want[:len(got)], append([]pidmap.Event{}, got...)); diff != "" {
			t.Fatalf("cut at %d: events (-want +got):\n%s", cut, diff)
		}
		if len(got)-packets != 0 && len(got)-packets != 1 {
			t.Fatalf("cut at %d: got %d events and %d packets, want them in turn", cut, len(got), packets)
		}
		if cut == len(file) {
			if err != nil || packets != 20 {
				t.Errorf("whole: got %d packets and %v, want 20", packets, err)
			}
			break
		}
		if err == nil {
			inner++ // the last state is there and what is missing, blocks behind it, is whole or absent
			continue
		}
		if !errors.Is(err, capture.ErrTruncated) {
			t.Fatalf("cut at %d: got %v, want one that wraps %v", cut, err, capture.ErrTruncated)
		}
		if packets > 0 && !strings.Contains(err.Error(), "after 2001-09-09T01:46:40.000000Z") && !strings.Contains(err.Error(), "block") {
			t.Fatalf("cut at %d: got %v, want what is missing", cut, err)
		}
	}
	if inner > 0 {
		t.Errorf("%d cuts left no trace, want none: the session ends with its last state", inner)
	}
}

// TestCutLarge cuts a session of several hundred KiB in its last 64 KiB and at random: a replay has a beginning of what was written.
// With APPTAP_CUTS=all the cuts are at each of those bytes and a thousand random ones, else at a sample.
func TestCutLarge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var want []pidmap.Event
	file := write(t, func(w *session.Writer) error {
		err := w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1e18, End: 1e18}}, false)
		for i := range 250 {
			p := capture.Packet{Data: make([]byte, random.IntN(1500)), Length: 1500, LinkType: 1, Time: 1e18 + int64(i)}
			e := pidmap.Event{Kind: pidmap.ProcessExit, Time: int64(i), Process: pidmap.Process{Name: strings.Repeat("p", random.IntN(400))}}
			want = append(want, e)
			err = errors.Join(err, w.WriteEvents([]pidmap.Event{e}), w.WritePacket(&p))
		}
		return errors.Join(err, w.WriteState(&summarize.Input{Window: summarize.Window{Start: 1e18, End: 1e18 + 5e9}}, true))
	})
	const tail = 64 << 10
	step, others := 997, 20
	if os.Getenv("APPTAP_CUTS") == "all" {
		step, others = 1, 1000
	}
	var cuts []int
	for cut := len(file) - tail; cut < len(file); cut += step {
		cuts = append(cuts, cut)
	}
	for range others {
		cuts = append(cuts, 1000+random.IntN(len(file)-1000))
	}
	for _, cut := range cuts {
		_, got, packets, err := replay(t, file[:cut])
		same := func(a, b pidmap.Event) bool { return a.Time == b.Time && a.Process.Name == b.Process.Name }
		if len(got) > len(want) || !slices.EqualFunc(want[:len(got)], got, same) {
			t.Fatalf("cut at %d of %d: %d events, not the first of those written", cut, len(file), len(got))
		}
		if packets > len(got) || packets < len(got)-1 || !errors.Is(err, capture.ErrTruncated) {
			t.Fatalf("cut at %d of %d: got %d events, %d packets, %v; want them in turn and %v", cut, len(file), len(got), packets, err, capture.ErrTruncated)
		}
	}
}

// FuzzRecords: no block panics or makes a replay hang, and what is understood is written and read again the same.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("apptap.session/1\n" + `{"process":{"number":1,"pid":7,"start":5,"name":"curl","cmdline":["curl",{"base64":"/w=="}]}}` + "\n" +
		`{"event":{"kind":"socket_used","time":5,"method":"ebpf","socket":{"proto":6,"local":"192.0.2.1:5","remote":"[::]:0","cookie":9},"process":1,"moved":{"tx_payload":1,"rx_payload":2}}}`))
	f.Add([]byte("apptap.session/1\n" + `{"counters":{"proto":6,"local":"[2001:db8::1]:5","remote":"[::1]:443","ipv6":true,"time":1,"moment":"close","bytes_sent":1}}`))
	f.Add([]byte("apptap.session/1\n" + `{"state":{"final":true,"start":1,"end":2,"snaplen":96,"local":["192.0.2.1/32"],"interfaces":[{"name":"lo","readings":{}}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, events, _, _ := replayBlock(t, body)
		var in summarize.Input
		r.Complete(&in)
		again := write2(t, events, in.Sockets)
		second, gotEvents, _, err := replay(t, again)
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if diff := cmp.Diff(events, gotEvents); diff != "" {
			t.Errorf("events (-first +second):\n%s", diff)
		}
		var got summarize.Input
		second.Complete(&got)
		if diff := cmp.Diff(in.Sockets, got.Sockets); diff != "" {
			t.Errorf("counters (-first +second):\n%s", diff)
		}
	})
}

func replayBlock(t *testing.T, body []byte) (*session.Replay, []pidmap.Event, int, error) {
	t.Helper()
	if len(body) > 1<<20 {
		t.Skip("larger than any block that is written")
	}
	return replay(t, withBlock(t, string(body)))
}

func write2(t *testing.T, events []pidmap.Event, counters []summarize.SocketCounters) []byte {
	t.Helper()
	return write(t, func(w *session.Writer) error { return errors.Join(w.WriteEvents(events), w.WriteCounters(counters)) })
}
