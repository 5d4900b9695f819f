package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"apptap/fixtures/netns"
	"apptap/fixtures/storm"
)

// openStorm serves in one namespace what programs in the other ask for.
func openStorm(t *testing.T, here, there *netns.Namespace) *storm.Storm {
	t.Helper()
	s := &storm.Storm{Programs: t.TempDir(), Servers: []netip.Addr{there.IPv4}, Ports: map[string]int{},
		Here: func(do func()) { here.Do(t, do) }, There: func(do func()) { there.Do(t, do) }, Failed: func(err error) { t.Error(err) }}
	t.Cleanup(s.Close)
	if err := storm.Build(s.Programs); err != nil {
		t.Skip(err)
	}
	if there.IPv6.IsValid() {
		s.Servers = append(s.Servers, there.IPv6)
	}
	for _, ip := range s.Servers {
		if err := s.Serve(ip); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// stormFlow is what a report says of a flow of the storm.
type stormFlow struct {
	Proto, Local, Remote, Method string
	First, Last                  time.Time
	PID                          *int32
	TxStream                     uint64 `json:"tx_stream"`
	RxStream                     uint64 `json:"rx_stream"`
	TxPayload                    uint64 `json:"tx_payload"`
	RxPayload                    uint64 `json:"rx_payload"`
	Shares                       []struct {
		PID       int32
		TxPayload uint64 `json:"tx_payload"`
		RxPayload uint64 `json:"rx_payload"`
	}
}

// stormClient is what a program of the storm says of a socket.
type stormClient struct {
	Mode, Proto, Local, Remote string
	PID                        int32
	Tx, Rx                     uint64
	First, Last                time.Time
}

// moved is what the flow has for a process, false if nothing. TCP counts once what was sent again.
func (f *stormFlow) moved(pid int32) (tx, rx uint64, ok bool) {
	for _, share := range f.Shares {
		if share.PID == pid {
			return share.TxPayload, share.RxPayload, true
		}
	}
	if f.PID == nil || *f.PID != pid || len(f.Shares) > 0 {
		return 0, 0, false
	}
	if f.Proto == "udp" {
		return f.TxPayload, f.RxPayload, true
	}
	return f.TxStream, f.RxStream, true
}

// of says whether the flow may be the client's: one that is bound to no address says only its port.
func (f *stormFlow) of(c *stormClient) bool {
	port := c.Local[strings.LastIndexByte(c.Local, ':'):]
	return f.Proto == c.Proto && f.Remote == c.Remote && strings.HasSuffix(f.Local, port) && !f.First.After(c.Last) && !f.Last.Before(c.First)
}

// checkStorm wants every program of a storm with its very bytes in a report, by kernel events, and no flow for anybody else, unless the
// report says that there are no such events here.
func checkStorm(t *testing.T, file string, said []byte) {
	t.Helper()
	var report struct {
		Degraded []string
		Flows    []stormFlow
	}
	readJSON(t, file, &report)
	t.Logf("degraded: %q", report.Degraded)
	if strings.Contains(strings.Join(report.Degraded, " "), "polled for") {
		t.Skip("no eBPF here")
	}
	for _, f := range report.Flows {
		if f.Method != "ebpf" {
			t.Errorf("%s: owner by %q, want ebpf", f.Local, f.Method)
		}
	}
	clients := 0
	for decoder := json.NewDecoder(bytes.NewReader(said)); decoder.More(); clients++ {
		var c stormClient
		if err := decoder.Decode(&c); err != nil {
			t.Fatal(err)
		}
		c.check(t, report.Flows)
	}
	if clients < len(report.Flows) {
		t.Errorf("%d flows of %d clients", len(report.Flows), clients)
	}
}

func (c *stormClient) check(t *testing.T, all []stormFlow) {
	t.Helper()
	for i := range all {
		if !all[i].of(c) {
			continue
		}
		if tx, rx, ok := all[i].moved(c.PID); ok {
			if c.Mode == "exit" {
				rx = c.Rx // an answer comes all the same
			}
			if tx != c.Tx || rx != c.Rx {
				t.Errorf("%d bytes sent and %d received, want %+v", tx, rx, *c)
			}
			return
		}
	}
	t.Errorf("no flow of %+v", *c)
}
