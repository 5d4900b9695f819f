// Package places answers which network and country an address belongs to, from a local file in MaxMind's format that
// the user points to. cmd opens it; nothing is ever fetched.
package places

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"unicode"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Database is an open file. It may be used by several goroutines at once.
type Database struct{ reader *maxminddb.Reader }

// Open opens a file in MaxMind's DB format (version 2): GeoLite2, DB-IP, IPinfo and others publish such files.
func Open(path string) (*Database, error) {
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	reader, err := maxminddb.OpenBytes(text)
	if err != nil {
		return nil, fmt.Errorf("open %s: no database in MaxMind's format: %w", path, err)
	}
	return &Database{reader}, nil
}

// maxFile is several times the largest file that is published, in bytes.
const maxFile = 1 << 30

// read has the file in memory. maxminddb.Open would map it: when an update then cut it short under a capture, a look into it would
// end the program with SIGBUS, and the capture with it.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes are more than a database has", info.Size())
	}
	text := make([]byte, info.Size())
	if _, err := io.ReadFull(file, text); err != nil {
		return nil, cause(err)
	}
	return text, nil
}

// cause is an error without the file's name, which the sentence around it has.
func cause(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

// Close gives the file back; the Database may not be used any more.
func (d *Database) Close() error { return d.reader.Close() }

// maxText bounds what a file may make a report show.
const maxText = 80

// Network is "AS64500 Example Net", "" where the file does not know.
func (d *Database) Network(addr netip.Addr) string {
	var r struct {
		Number       uint   `maxminddb:"autonomous_system_number"`
		Organization string `maxminddb:"autonomous_system_organization"`
		ASN          string `maxminddb:"asn"` // IPinfo: "AS64500"
		Name         string `maxminddb:"as_name"`
	}
	if d.reader.Lookup(addr.Unmap()).Decode(&r) != nil {
		return ""
	}
	if r.Number > 0 {
		r.ASN, r.Name = fmt.Sprintf("AS%d", r.Number), r.Organization
	}
	if r.ASN == "" {
		return ""
	}
	return clean(r.ASN + " " + r.Name)
}

// Country is the code of a country (ISO 3166-1) and its name, "DE Germany", "" where the file does not know.
func (d *Database) Country(addr netip.Addr) string {
	var r struct {
		Country struct {
			Code  string            `maxminddb:"iso_code"`
			Names map[string]string `maxminddb:"names"`
		} `maxminddb:"country"`
	}
	result := d.reader.Lookup(addr.Unmap())
	if result.Decode(&r) == nil && r.Country.Code != "" {
		return clean(r.Country.Code + " " + r.Country.Names["en"])
	}
	var plain struct { // IPinfo
		Code string `maxminddb:"country_code"`
		Name string `maxminddb:"country"`
	}
	if result.Decode(&plain) != nil || plain.Code == "" {
		return ""
	}
	return clean(plain.Code + " " + plain.Name)
}

// clean keeps the visible characters of a text, up to maxText bytes.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}
