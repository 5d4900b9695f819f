package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"apptap/capture"
)

func TestMain(m *testing.M) {
	testscript.Main(withPrograms{m}, map[string]func(){"apptap": main, "apptap-lossy": lossyMain, "taker": takerMain})
}

// writeCut writes two capture files that end within a packet.
func writeCut(dir string) error {
	for number, name := range []string{"cut1.pcap", "cut2.pcap"} {
		var file bytes.Buffer
		w, err := capture.NewPcapWriter(&file, capture.LinkTypeEthernet, 0)
		if err != nil {
			return err
		}
		for range 2 {
			if err := w.WritePacket(&capture.Packet{Time: int64(number) * 1e9, Data: make([]byte, 60), Length: 60, LinkType: capture.LinkTypeEthernet}); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), file.Bytes()[:file.Len()-10], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// TestScript runs the command as people type it. FIXTURES is the folder of recorded captures, LO the loopback interface; root and
// libpcap say whether the tests run as root and with libpcap.
func TestScript(t *testing.T) {
	fixtures, err := filepath.Abs("../../fixtures")
	if err != nil {
		t.Fatal(err)
	}
	loopback, err := loopbackName()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("FIXTURES", fixtures)
			e.Setenv("LO", loopback)
			e.Setenv("ESCAPE", "no\x1b]0;such\x07file")
			return writeCut(e.WorkDir)
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "libpcap":
				return haveLibpcap, nil
			}
			return false, nil
		},
	})
}
