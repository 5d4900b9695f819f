//go:build amd64 || arm64

package bpf

import (
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

var update = flag.Bool("update", false, "record testdata/ring.hex again (root)")

// TestIntegrationRecorded has this kernel's records read as those of testdata/ring.hex do, or puts them there.
func TestIntegrationRecorded(t *testing.T) {
	tracer := open(t)
	converse(t)
	var lines []string
	kinds := map[Kind]bool{}
	tracer.reader.SetDeadline(time.Now())
	for {
		r, err := tracer.reader.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ringbuf.ErrFlushed) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		e, err := Decode(r.RawSample)
		if err != nil {
			t.Fatalf("%x: %v", r.RawSample, err)
		}
		if self := int32(os.Getpid()); e.Process.PID == self || e.Process.PPID == self || e.Parent == self {
			kinds[e.Kind] = true
			lines = append(lines, hex.EncodeToString(r.RawSample))
		}
	}
	for k := SocketOpened; k <= ProcessExit; k++ {
		if !kinds[k] {
			t.Errorf("no record of kind %d", k)
		}
	}
	if *update && !t.Failed() {
		if err := os.WriteFile("testdata/ring.hex", []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// converse exchanges bytes over TCP and UDP and runs a program.
func converse(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp6", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c.Write(make([]byte, 500))
	io.ReadFull(s, make([]byte, 500))
	u, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	u.WriteTo(make([]byte, 60), u.LocalAddr())
	u.ReadFrom(make([]byte, 100))
	if err := exec.Command("true").Run(); err != nil {
		t.Skip(err)
	}
}
