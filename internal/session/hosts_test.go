package session_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// ofHost is a session of a host with an address, in which the socket and the process have the numbers of every other one; ended says
// whether the final state is there.
func ofHost(t *testing.T, addr, program string, start int64, ended bool) []byte {
	t.Helper()
	return write(t, func(w *session.Writer) error {
		in := summarize.Input{Window: summarize.Window{Start: start, End: start + 9e9}, Interfaces: []summarize.InterfaceInput{{
			Name: "eth0", Readings: &summarize.InterfaceReadings{AfterClose: summarize.InterfaceCounters{RxBytes: uint64(start)}},
		}}}
		in.Source.Local, in.Source.LocalFrom = []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr(addr), 32)}, "interface"
		key := keyOf(flows.TCP, addr+":50000", "198.51.100.1:443")
		socket := pidmap.Socket{Key: key, Cookie: 77, Inode: 78}
		process := pidmap.Process{Key: pidmap.ProcessKey{PID: 4711, Start: 99}, Name: program, Path: "/usr/bin/" + program}
		frame := fixtures.TCP(netip.MustParseAddrPort(addr+":50000"), netip.MustParseAddrPort("198.51.100.1:443"), "A", 1, 1, nil)
		err := errors.Join(w.WriteState(&in, false),
			w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketSeen, Time: start + 1e9, Socket: socket, Method: pidmap.MethodSockDiag, Holders: []pidmap.Process{process}}}),
			w.WritePacket(&capture.Packet{Time: start + 2e9, Data: frame, Length: len(frame), LinkType: 1}),
			w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketClosed, Time: start + 8e9, LastSeen: start + 8e9, Socket: socket}, {Kind: pidmap.ProcessExit, Time: start + 8e9, Process: process}}),
			w.WriteCounters([]summarize.SocketCounters{{Key: key, Cookie: 77, Time: start + 8e9, Moment: summarize.AtClose}}))
		if !ended {
			return err
		}
		return errors.Join(err, w.WriteState(&in, true))
	})
}

// together replays files at once and asks for owners.
func together(t *testing.T, files ...[]byte) (*session.Replay, *pidmap.History, error) {
	t.Helper()
	var sources []*session.Source
	for _, file := range files {
		inner, err := capture.NewReader(bytes.NewReader(file), "s.pcapng")
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, session.NewSource(inner, "s.pcapng"))
	}
	r, history := session.NewReplay(sources), pidmap.NewHistory(pidmap.ReasonNoSocketSeen)
	var all []capture.Source
	for _, s := range sources {
		all = append(all, s)
	}
	merged := capture.Merge(all)
	for {
		var p capture.Packet
		err := merged.Next(&p)
		for _, e := range r.Events() {
			history.Add(e)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			continue
		}
		return r, history, err
	}
}

// TestHosts replays sessions of two hosts that use the same numbers: each socket has its own owner, and two sessions of one host
// keep the numbers that they share.
func TestHosts(t *testing.T) {
	const start = 1e18
	a, b := ofHost(t, "192.0.2.1", "first", start, true), ofHost(t, "192.0.2.2", "second", start+5e8, true)
	sources := [][]byte{a, b}
	r, history, err := together(t, sources...)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{"192.0.2.1": "first", "192.0.2.2": "second"} {
		if got := history.Owner(keyOf(flows.TCP, addr+":50000", "198.51.100.1:443"), flows.InitiatorLocal, start+2e9, start+3e9); got.Process.Name != want {
			t.Errorf("%s: got %+v, want %s", addr, got, want)
		}
	}
	var in summarize.Input
	r.Complete(&in)
	if len(in.Sockets) != 2 || in.Sockets[0].Cookie == in.Sockets[1].Cookie || in.Sockets[0].Cookie != 77 {
		t.Errorf("got counters %+v, want two sockets", in.Sockets)
	}
	r, _, err = together(t, a, ofHost(t, "192.0.2.1", "first", start+1e10, true))
	in = summarize.Input{}
	if r.Complete(&in); err != nil || len(in.Sockets) != 2 || in.Sockets[0].Cookie != in.Sockets[1].Cookie {
		t.Errorf("one host: got %v and counters %+v, want one socket", err, in.Sockets)
	}
}

// TestConcatenated replays a file that is two sessions, one behind the other: as both of them, also where the first was not ended.
func TestConcatenated(t *testing.T) {
	const start = 1e18
	for _, ended := range []bool{true, false} {
		file := append(ofHost(t, "192.0.2.1", "first", start, ended), ofHost(t, "192.0.2.2", "second", start+1e10, true)...)
		r, history, err := together(t, file)
		if ended != (err == nil) || err != nil && (!errors.Is(err, capture.ErrTruncated) || !strings.Contains(err.Error(), "after 2001-09-09T01:46:49")) {
			t.Errorf("ended %v: got error %v", ended, err)
		}
		for addr, want := range map[string]string{"192.0.2.1": "first", "192.0.2.2": "second"} {
			at := int64(start + 2e9)
			if want == "second" {
				at += 1e10
			}
			if got := history.Owner(keyOf(flows.TCP, addr+":50000", "198.51.100.1:443"), flows.InitiatorLocal, at, at); got.Process.Name != want {
				t.Errorf("ended %v: %s: got %+v, want %s", ended, addr, got, want)
			}
		}
		in := summarize.Input{Interfaces: []summarize.InterfaceInput{{Name: "eth0"}, {Name: "eth0"}}}
		r.Complete(&in)
		local, _ := r.Local()
		if !in.Live || in.Window != (summarize.Window{Start: start, End: start + 1e10 + 9e9}) || len(local) != 2 {
			t.Errorf("ended %v: live %v, window %v, local %v: want both sessions", ended, in.Live, in.Window, local)
		}
		for i, want := range []uint64{start, start + 1e10} {
			if got := in.Interfaces[i].Readings; got == nil || got.AfterClose.RxBytes != want || (got.Unavailable != "") != (i == 0 && !ended) {
				t.Errorf("ended %v: interface %d has %+v, want its own session's readings", ended, i, got)
			}
		}
	}
}
