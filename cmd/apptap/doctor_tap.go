package main

import (
	"net"
	"os"

	"apptap/capture/live"
)

// sampleTap taps the loopback interface while this process talks with itself: what headers there look like, and whom they name. A capture
// does not tap it, because each packet is there twice, as it is sent and as it arrives.
func sampleTap() *macTap {
	name, err := loopbackName()
	if err != nil {
		return &macTap{Detail: oneLine(err)}
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return &macTap{Detail: oneLine(err)}
	}
	defer listener.Close()
	sample, err := live.SampleTap(name, int32(os.Getpid()), func() error {
		_, err := talkToSelf(listener)
		return err
	})
	return macTapOf(sample, err)
}

// macTapOf says what is wrong with a sample: of a connection with itself each packet is this process's.
func macTapOf(s *live.TapSample, err error) *macTap {
	t := &macTap{Headers: map[string]int{}, Samples: []string{}}
	if s != nil {
		t.LinkType, t.Packets, t.Unknown, t.Own, t.Nobody = int(s.LinkType), s.Packets, s.Unknown, s.Own, s.Nobody
		t.Headers, t.Samples = s.Headers, append(t.Samples, s.Samples...)
	}
	switch {
	case err != nil:
		t.Detail = oneLine(err)
	case t.Packets == 0:
		t.Detail = "no packet had a header that is known"
	case t.Own == 0:
		t.Detail = "no packet named this process, whose connection it was"
	default:
		t.OK = true
	}
	return t
}
