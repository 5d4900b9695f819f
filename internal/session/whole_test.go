package session_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"testing"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"

	"github.com/google/go-cmp/cmp"
)

// filler gives every field of a value a content of its own, so that one that a record leaves out shows.
type filler struct{ n uint64 }

func (f *filler) fill(t *testing.T, v reflect.Value) {
	f.n++
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)})
		return
	case *netip.Prefix:
		*p = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)}), 32)
		return
	case *netip.AddrPort:
		*p = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(f.n)}), uint16(f.n))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("text\xff<" + string(rune('a'+f.n%26)) + ">")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8:
		v.SetUint(f.n & 0xff)
	case reflect.Uint, reflect.Uint16, reflect.Uint32:
		v.SetUint(f.n)
	case reflect.Uint64:
		v.SetUint(1<<63 + f.n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(t, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(t, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.fill(t, v.Field(i))
			}
		}
	default:
		t.Fatalf("a session has no way yet to keep a %v", v.Type())
	}
}

// filled is a T with a content in every field.
func filled[T any](t *testing.T) T {
	var v T
	new(filler).fill(t, reflect.ValueOf(&v).Elem())
	return v
}

// write makes a session of one packet in the middle.
func write(t *testing.T, do func(*session.Writer) error) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := session.NewWriter(&file, capture.WriterOptions{Application: "test", Interfaces: []capture.Interface{{Name: "eth0", LinkType: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(w), w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// replay reads a session to its end.
func replay(t *testing.T, file []byte) (r *session.Replay, events []pidmap.Event, packets int, err error) {
	t.Helper()
	inner, err := capture.NewReader(bytes.NewReader(file), "s.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	s := session.NewSource(inner, "s.pcapng")
	r = session.NewReplay([]*session.Source{s})
	var p capture.Packet
	for {
		err := s.Next(&p)
		events = append(events, r.Events()...)
		switch {
		case errors.Is(err, io.EOF):
			return r, events, packets, nil
		case err != nil:
			return r, events, packets, err
		}
		packets++
	}
}

// TestEventsWhole fails when an Event, Process or Socket has a field that the format does not keep.
func TestEventsWhole(t *testing.T) {
	full := filled[pidmap.Event](t)
	var want []pidmap.Event
	for kind := pidmap.SocketSeen; kind <= pidmap.FlowUntranslated; kind++ {
		full.Kind = kind
		want = append(want, full)
	}
	again := full
	again.Holders = []pidmap.Process{full.Process, {}} // as known before, and nobody
	v6 := pidmap.Event{Kind: pidmap.SocketMade, Time: -1}
	v6.Socket.Key = flows.MakeKey(flows.UDP, netip.MustParseAddrPort("[2001:db8::1]:53"), netip.MustParseAddrPort("[::1]:1"))
	v6.Socket.Key.Remote = flows.Endpoint{}
	empty := pidmap.Event{Kind: pidmap.SocketSeen, Holders: []pidmap.Process{}, Process: pidmap.Process{Name: "x", Cmdline: []string{}}}
	want = append(want, again, v6, empty)

	file := write(t, func(w *session.Writer) error {
		return errors.Join(w.WriteEvents(want[:3]), w.WritePacket(&capture.Packet{Data: []byte("a frame"), Length: 7, LinkType: 1}), w.WriteEvents(want[3:]))
	})
	_, got, packets, err := replay(t, file)
	if err != nil || packets != 1 {
		t.Errorf("got %d packets and %v, want 1", packets, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestCountersWhole(t *testing.T) {
	full := filled[summarize.SocketCounters](t)
	want := []summarize.SocketCounters{full, {}, full}
	want[0].Moment, want[2].Moment = summarize.AtClose, summarize.AtEnd
	file := write(t, func(w *session.Writer) error { return w.WriteCounters(want) })
	r, _, _, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	var in summarize.Input
	r.Complete(&in)
	if diff := cmp.Diff(want, in.Sockets); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if in.Live {
		t.Error("a file without a state was taken for a session")
	}
}

// notKept are the fields of a summarize.Input that stand elsewhere in the file, or are what the report's reader wants.
var notKept = map[string]bool{
	"Flows": true, "Rest": true, "Undecoded": true, "SeenBefore": true, "Folded": true, "Settled": true, "Lookups": true, // from packets
	"Owner": true, "SocketOwner": true, "Sockets": true, "Datagrams": true, "DatagramsWhole": true, // from events and counters
	"Side": true, "CountOnly": true, "ListDestinations": true, "Destinations": true, "TakeTimes": true, "Explain": true, "Evidence": true,
}

// TestStateWhole fails when a summarize.Input has a field of the run that the format does not keep.
func TestStateWhole(t *testing.T) {
	var want summarize.Input
	v := reflect.ValueOf(&want).Elem()
	f := &filler{}
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !notKept[name] {
			f.fill(t, v.Field(i))
		}
	}
	want.Filter = "tcp or udp"
	want.Source.Filter = want.Filter
	want.Source.Kind, want.Source.Files, want.Source.Interfaces = "", nil, nil // of the replay
	want.Interfaces[0].Name, want.Interfaces[1].Name = "eth0", "lo"
	first := summarize.Input{Window: summarize.Window{Start: want.Window.Start, End: 2}, Degraded: []string{"an early thought"}}
	file := write(t, func(w *session.Writer) error {
		return errors.Join(w.WriteState(&first, false), w.WriteState(&want, true))
	})
	r, _, _, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	got := summarize.Input{Interfaces: []summarize.InterfaceInput{statsOf(want.Interfaces[0]), statsOf(want.Interfaces[1])}}
	r.Complete(&got)
	got.Source.Local, got.Source.LocalFrom = r.Local()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// statsOf is what the packets and the statistics blocks of a file say of an interface.
func statsOf(i summarize.InterfaceInput) summarize.InterfaceInput {
	i.Loopback, i.Filter, i.Readings = false, "", nil
	return i
}
