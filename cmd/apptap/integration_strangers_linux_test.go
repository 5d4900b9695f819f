package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"apptap/fixtures/netns"
)

// TestIntegrationStrangers has frames arrive that are not for this host, with the interface promiscuous by another program's
// will and without, and frames that are no IP: the interface counts them all, and so does the capture, for the program that sends them
// from another namespace if the kernel's events tell of it, else for nobody.
func TestIntegrationStrangers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const datagrams, payload, headers = 50, 100, 14 + 20 + 8
	for _, promiscuous := range []string{"on", "off"} {
		t.Run("promiscuous "+promiscuous, func(t *testing.T) {
			here, there := netns.Pair(t)
			ipIn(t, here, "link", "set", netns.Interface, "promisc", promiscuous)
			ipIn(t, there, "neigh", "add", "10.77.0.9", "lladdr", "02:00:00:00:00:09", "dev", netns.Interface)
			var conn *net.UDPConn
			var err error
			there.Do(t, func() { conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: there.IPv4.AsSlice()}) })
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			live := filepath.Join(t.TempDir(), "live.json")
			run := here.Command(t, "apptap", "capture", "-i", netns.Interface, "--format", "json", "-o", live)
			wait := start(t, run, "capturing on")
			for range datagrams {
				if _, err := conn.WriteTo(make([]byte, payload), &net.UDPAddr{IP: net.IPv4(10, 77, 0, 9), Port: 9}); err != nil {
					t.Fatal(err)
				}
			}
			conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(10, 77, 0, 10), Port: 9}) // asks for nobody's address: ARP
			interrupt(t, run)
			wait()
			var report struct {
				Apps         []onceApp
				Unattributed struct {
					Bytes   uint64
					Reasons map[string]uint64
				}
				Undecoded struct {
					Kinds map[string]uint64
				}
				Audit struct {
					Interfaces []struct {
						CapturedBytes uint64 `json:"captured_bytes"`
						ResidualBytes *int64 `json:"residual_bytes"`
					}
				}
			}
			readJSON(t, live, &report)
			got, want := report.Unattributed.Reasons["forwarded"], uint64(datagrams*(headers+payload))
			if got == 0 && len(report.Apps) == 1 && report.Apps[0].App.Path == self {
				got = report.Apps[0].TxBytes
			}
			if got != want {
				t.Errorf("forwarded, or of %s: got %d bytes, want %d, of %+v", self, got, want, report)
			}
			if report.Undecoded.Kinds["arp"] == 0 {
				t.Errorf("undecoded: got %v, want some ARP", report.Undecoded.Kinds)
			}
			if i := report.Audit.Interfaces[0]; i.ResidualBytes == nil || *i.ResidualBytes != 0 {
				t.Errorf("%d bytes captured, residual %v, want 0", i.CapturedBytes, number(i.ResidualBytes))
			}
		})
	}
}
