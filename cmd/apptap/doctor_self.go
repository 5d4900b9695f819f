package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"apptap/capture/live"
	"apptap/internal/pipeline"
	"apptap/pidmap"
	"apptap/summarize"
)

const (
	selfTime = 2 * time.Second
	// selfBytes is what each side sends, in selfPiece at a time: a piece fits any socket's buffer, so that one goroutine can be both sides.
	selfBytes, selfPiece = 65536, 4096
)

// selfCapture is what came of capturing traffic of this very process. Its JSON is a contract (docs/scripting.md).
type selfCapture struct {
	OK        bool    `json:"ok"`
	Detail    string  `json:"detail,omitempty"` // what went wrong, or is missing
	Interface string  `json:"interface"`
	Reader    string  `json:"reader"`
	Seconds   float64 `json:"seconds"`
	Sent      uint64  `json:"sent_payload"`     // by both sides together
	Captured  uint64  `json:"captured_payload"` // of these
	// PID is whom the flow was counted for, Self whether that is this process.
	PID         int32    `json:"pid"`
	Self        bool     `json:"self"`
	Method      string   `json:"method"`
	Verdict     string   `json:"verdict"` // of the audit, of this flow
	Unavailable string   `json:"unavailable,omitempty"`
	Degraded    []string `json:"degraded"`
	// Frames is the audit of the interface, on which others talk too; nil where none came of it.
	Frames *selfFrames `json:"frames"`
}

// selfFrames are the frames of the interface meanwhile: captured, and counted by the kernel. Residual is counted - captured, bytes without a cause.
type selfFrames struct {
	CapturedPackets uint64 `json:"captured_packets"`
	CapturedBytes   uint64 `json:"captured_bytes"`
	KernelPackets   uint64 `json:"kernel_packets"`
	KernelBytes     uint64 `json:"kernel_bytes"`
	Residual        int64  `json:"residual_bytes"`
	Unavailable     string `json:"unavailable,omitempty"` // why the kernel has none
}

// captureSelf captures a TCP connection of this process with itself, whose bytes are known, on the loopback interface.
func captureSelf(ctx context.Context) (r selfCapture) {
	r.Degraded, r.Seconds = []string{}, selfTime.Seconds()
	name, err := loopbackName()
	if err != nil {
		r.Detail = oneLine(err)
		return r
	}
	r.Interface = name
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		r.Detail = oneLine(err)
		return r
	}
	defer listener.Close()
	f := captureFlags{reader: "auto", snapLen: defaultSnapLen}
	var talkErr error
	c := pipeline.Config{
		Live: true, ListFlows: true, LocalAddrs: hostAddrs, AbsentReason: pidmap.ReasonNoSocketSeen,
		Source: summarize.Source{Kind: "live", Interfaces: []string{name}, SnapLen: f.snapLen},
		View: func(news <-chan pipeline.Progress) {
			r.Sent, talkErr = talkToSelf(listener)
			for range news { // until the capture is over
			}
		},
	}
	closeSources, err := openLive(ctx, &c, &f, "")
	if err != nil {
		r.Detail = oneLine(err)
		return r
	}
	defer closeSources()
	r.Reader = c.Source.Reader
	ctx, cancel := context.WithTimeout(ctx, selfTime)
	defer cancel()
	result := pipeline.Run(ctx, c)
	r.judge(result.Summary, listener.Addr().(*net.TCPAddr).AddrPort(), talkErr)
	return r
}

// loopbackName is the loopback interface that is up.
func loopbackName() (string, error) {
	rows, err := live.Interfaces()
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.Loopback && row.Up {
			return row.Name, nil
		}
	}
	return "", errors.New("no loopback interface is up")
}

// talkToSelf is both sides of a connection, one after the other.
func talkToSelf(listener net.Listener) (sent uint64, err error) {
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	server, err := listener.Accept() // the connection waits for it already
	if err != nil {
		return 0, err
	}
	defer server.Close()
	deadline := time.Now().Add(selfTime)
	err = errors.Join(client.SetDeadline(deadline), server.SetDeadline(deadline))
	piece := make([]byte, selfPiece)
	for range selfBytes / selfPiece {
		for _, from := range []net.Conn{client, server} {
			to := server
			if from == server {
				to = client
			}
			n, writeErr := from.Write(piece)
			sent += uint64(n)
			if err = errors.Join(err, writeErr, receive(to, n)); err != nil {
				return sent, err
			}
		}
	}
	return sent, err
}

func receive(from net.Conn, n int) error {
	piece := make([]byte, selfPiece)
	for n > 0 {
		got, err := from.Read(piece[:n])
		if err != nil {
			return err
		}
		n -= got
	}
	return nil
}

// judge finds the connection with the listener among what was captured.
func (r *selfCapture) judge(s *summarize.Summary, listener netip.AddrPort, talkErr error) {
	r.Degraded = append(r.Degraded, s.Degraded...)
	for _, a := range s.Audit.Interfaces {
		r.Frames = &selfFrames{a.CapturedPackets, a.CapturedBytes, a.KernelPackets, a.KernelBytes, a.ResidualBytes, a.Unavailable}
	}
	for i := range s.Flows {
		f := &s.Flows[i]
		if f.Flow.Key.LocalAddr() != listener && f.Flow.Key.RemoteAddr() != listener {
			continue
		}
		r.Captured += f.Flow.TxPayload + f.Flow.RxPayload
		r.Verdict, r.Unavailable = string(f.Verdict), f.Unavailable
		if r.Method = string(f.Owner.Method); f.Owner.Known() {
			r.PID, r.Self = f.Owner.Process.Key.PID, f.Owner.Process.Key.PID == int32(os.Getpid())
		}
	}
	switch {
	case talkErr != nil:
		r.Detail = oneLine(talkErr)
	case r.Captured != r.Sent:
		r.Detail = fmt.Sprintf("sent %d bytes of payload and captured %d", r.Sent, r.Captured)
	case !r.Self:
		r.Detail = "the connection has another owner than this process, or none"
	case r.Verdict == string(summarize.VerdictUnexplained):
		r.Detail = "the kernel has counted other bytes than were captured"
	default:
		r.OK = true
	}
}
