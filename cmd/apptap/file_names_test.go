package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"apptap/capture"
	"apptap/fixtures"
)

// TestNamesOfTheFile: what name resolution blocks say names destinations that no packet names, whatever stands in them, and no others.
// apptap's own say nothing that packets do not.
func TestNamesOfTheFile(t *testing.T) {
	plain := []string{"198.51.100.0 none", "198.51.100.1 none", "198.51.100.2 none", "198.51.100.3 none", "198.51.100.4 none"}
	own := append([]string{"stated.example http_host"}, plain[0], plain[2], plain[3], plain[4])
	slices.Sort(own)
	for _, tt := range []struct {
		by, application string
		want            []string
	}{
		{"name", "Dumpcap", []string{"198.51.100.3 none", "198.51.100.4 none", `a\027[2j\060b\062 nrb`, "resolved.example nrb", "stated.example http_host"}},
		{"name", "", []string{"198.51.100.3 none", "198.51.100.4 none", `a\027[2j\060b\062 nrb`, "resolved.example nrb", "stated.example http_host"}},
		{"address", "Dumpcap", plain},
		{"name", "apptap 1", own},
	} {
		if got := namedBy(t, namedFile(t, tt.application), tt.by); !slices.Equal(got, tt.want) {
			t.Errorf("--by %s of %q: got %q, want %q", tt.by, tt.application, got, tt.want)
		}
	}
}

// namedFile is a capture with names for the addresses of four servers.
func namedFile(t *testing.T, application string) (path string) {
	t.Helper()
	client := netip.MustParseAddrPort("192.0.2.1:40000")
	server := func(last byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, last}), 80)
	}
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.WriterOptions{OS: "test", Hardware: "test", Application: application, Interfaces: []capture.Interface{{LinkType: capture.LinkTypeEthernet}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, payload := range []string{"", "GET / HTTP/1.1\r\nHost: stated.example\r\n\r\n", "", "", ""} {
		b := fixtures.TCP(client, server(byte(i)), "PA", 1, 1, []byte(payload))
		err = errors.Join(err, w.WritePacket(&capture.Packet{Time: int64(i+1) * 1e9, Data: b, Length: len(b), LinkType: capture.LinkTypeEthernet}))
	}
	err = errors.Join(err, w.WriteNames([]capture.Name{
		{Addr: server(0).Addr(), Names: []string{"Resolved.example", "alias.example"}}, {Addr: server(0).Addr(), Names: []string{"later.example"}},
		{Addr: server(1).Addr(), Names: []string{"unmeant.example"}}, {Addr: server(2).Addr(), Names: []string{"a\x1b[2J<b>"}},
		{Addr: server(3).Addr(), Names: []string{"10.0.0.1"}},
	}), w.Close())
	path = filepath.Join(t.TempDir(), "named.pcapng")
	if err := errors.Join(err, os.WriteFile(path, file.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// namedBy are the destinations of a report and where their names are from, sorted.
func namedBy(t *testing.T, path, by string) (got []string) {
	t.Helper()
	var report struct {
		Unattributed struct {
			Destinations []struct {
				Name   string
				Source string `json:"name_source"`
			}
		}
	}
	if err := json.Unmarshal([]byte(replay(t, "--format", "json", "--by", by, path)), &report); err != nil {
		t.Fatal(err)
	}
	for _, d := range report.Unattributed.Destinations {
		got = append(got, d.Name+" "+d.Source)
	}
	slices.Sort(got)
	return got
}
