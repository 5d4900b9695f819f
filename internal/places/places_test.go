package places

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The parts of MaxMind's DB format, version 2.0 (https://maxmind.github.io/MaxMind-DB/), that a small file needs.

func text(s string) string {
	if len(s) < 29 {
		return string(byte(2<<5|len(s))) + s
	}
	return string(byte(2<<5|29)) + string(byte(len(s)-29)) + s
}

func number(n uint32) string {
	return string([]byte{6<<5 | 4, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func short(n uint16) string { return string([]byte{5<<5 | 2, byte(n >> 8), byte(n)}) }

func object(fields ...string) string {
	return string([]byte{7<<5 | byte(len(fields)/2)}) + strings.Join(fields, "")
}

// write makes a file in which every address of 10.0.0.0/8 has the record, and no other.
func write(t *testing.T, record string) string {
	t.Helper()
	const prefix, nodes = 10, 8
	var tree []byte
	for bit := range nodes {
		next, none := uint32(bit+1), uint32(nodes)
		if bit == nodes-1 {
			next = nodes + 16
		}
		pair := [2]uint32{next, none}
		if prefix>>(7-bit)&1 == 1 {
			pair = [2]uint32{none, next}
		}
		for _, n := range pair {
			tree = append(tree, byte(n>>16), byte(n>>8), byte(n))
		}
	}
	metadata := object(
		text("node_count"), number(nodes), text("record_size"), short(24), text("ip_version"), short(4),
		text("database_type"), text("Test"), text("binary_format_major_version"), short(2), text("binary_format_minor_version"), short(0),
		text("build_epoch"), "\x04\x02"+"\x00\x00\x00\x01",
	)
	file := filepath.Join(t.TempDir(), "test.mmdb")
	all := string(tree) + strings.Repeat("\x00", 16) + record + "\xab\xcd\xefMaxMind.com" + metadata
	if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPlaces(t *testing.T) {
	for _, tt := range []struct{ name, record, network, country string }{
		{"GeoLite2 ASN", object(text("autonomous_system_number"), number(64500), text("autonomous_system_organization"), text("Example \x1b[31mNet")), "AS64500 Example [31mNet", ""},
		{"GeoLite2 Country", object(text("country"), object(text("iso_code"), text("DE"), text("names"), object(text("en"), text("Germany")))), "", "DE Germany"},
		{"IPinfo", object(text("asn"), text("AS64501"), text("as_name"), text("Other Net"), text("country"), text("France"), text("country_code"), text("FR")), "AS64501 Other Net", "FR France"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Open(write(t, tt.record))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			inside, outside := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.1")
			if network, country := d.Network(inside), d.Country(inside); network != tt.network || country != tt.country {
				t.Errorf("got %q and %q, want %q and %q", network, country, tt.network, tt.country)
			}
			for _, addr := range []netip.Addr{outside, netip.MustParseAddr("2001:db8::1")} {
				if got := d.Network(addr) + d.Country(addr); got != "" {
					t.Errorf("%v: got %q, want nothing", addr, got)
				}
			}
		})
	}
}

func TestOpenNoDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no.mmdb")
	if err := os.WriteFile(file, []byte("no database"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
}

// TestFileCutShort cuts a file short while it is open, as an update in place does.
func TestFileCutShort(t *testing.T) {
	file := write(t, object(text("country"), object(text("iso_code"), text("DE"), text("names"), object(text("en"), text("Germany")))))
	d, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if got := d.Country(netip.MustParseAddr("10.1.2.3")); got != "DE Germany" {
		t.Errorf("got %q, want what the file had", got)
	}
}
