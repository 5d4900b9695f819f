package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-strftime"

	"apptap/capture"
	"apptap/flows"
	"apptap/internal/session"
)

// rotation is when a recording goes on in another file, and how that is called: tcpdump's -C, -G and -W.
type rotation struct {
	megabytes uint64 // of a file, in millions of bytes; 0 = any size
	seconds   uint64 // that a file covers; 0 = any time
	count     uint64 // of files; 0 = any number
}

// positive is the value of a flag that is a whole number from 1 on; 0 is that of one that is not given.
type positive uint64

// String implements pflag.Value.
func (p *positive) String() string { return strconv.FormatUint(uint64(*p), 10) }

// Type implements pflag.Value.
func (p *positive) Type() string { return "uint" }

// Set implements pflag.Value.
func (p *positive) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return errors.New("want a whole number, 1 or more")
	}
	*p = positive(n)
	return nil
}

// check says what cannot be of the flags together. report is the file of -o.
func (r rotation) check(name, report string) error {
	switch {
	case r == rotation{}:
		return nil
	case name == "-":
		return usageError("-C, -G and -W are about files, and -w - is standard output: name a file with -w")
	case name == "":
		return usageError("-C, -G and -W are about files: name one with -w")
	case r.count > 0 && r.megabytes == 0 && r.seconds == 0:
		return usageError("-W says how many files there may be: give -C or -G too, which begin them")
	case r.seconds > 0 && r.megabytes == 0 && !strings.Contains(name, "%"):
		return usageError("-G wants a time in the file's name, or each file would overwrite the one before: -w %s", withTime(name))
	case r.seconds > maxRotationSeconds || r.megabytes > maxRotationMegabytes || r.count > maxRotationCount:
		return usageError("-C, -G or -W is too large: at most %d, %d and %d", uint64(maxRotationMegabytes), uint64(maxRotationSeconds), uint64(maxRotationCount))
	}
	first := r.path(name, time.Now(), 0)
	if sameName(first, report) || r.numbers(first, report) || r.times(name, report) {
		return usageError("-w writes a file %s with -C, -G or -W: give another name with -o", report)
	}
	folder := filepath.Dir(first)
	others, err := os.ReadDir(folder)
	if err != nil {
		return nil // told when the first file is made
	}
	for _, other := range others {
		there := filepath.Join(folder, other.Name())
		if (other.Name() == filepath.Base(first) || r.numbers(first, there)) && isPipe(there) {
			return usageError("-C, -G and -W are about files, and %s is a named pipe: whoever reads it gets all in one, without them", there)
		}
	}
	return nil
}

// numbers says that a path is of a later file than first, by another number behind its name.
func (r rotation) numbers(first, path string) bool {
	if r.megabytes == 0 || path == "-" || filepath.Dir(absolute(first)) != filepath.Dir(absolute(path)) {
		return false
	}
	stem, width := filepath.Base(first), 0
	if r.count > 0 {
		width = len(strconv.FormatUint(r.count-1, 10))
		stem = stem[:len(stem)-width]
	}
	text, ok := strings.CutPrefix(filepath.Base(path), stem)
	n, err := strconv.ParseUint(text, 10, 64)
	return ok && err == nil && text == fmt.Sprintf("%0*d", width, n) && (r.count == 0 && n > 0 || n < r.count)
}

// times says that a path is of a file of some time, past or to come: the name has a time in it.
func (r rotation) times(name, path string) bool {
	if r.seconds == 0 || path == "-" {
		return false
	}
	expr, rest := "", absolute(name)
	for {
		text, conversion, ok := strings.Cut(rest, "%")
		expr += regexp.QuoteMeta(text)
		if !ok || conversion == "" {
			break
		}
		switch rest = conversion[1:]; conversion[0] {
		case 'm', 'd', 'e', 'H', 'I', 'M', 'S', 'y', 'C', 'g', 'V', 'U', 'W', 'k', 'l':
			expr += "[ 0-9]{2}"
		case 'Y', 'G', 's', 'j', 'u', 'w':
			expr += "[0-9]+"
		case '%':
			expr += "%"
		default:
			expr += "[^/]+"
		}
	}
	if r.megabytes > 0 {
		expr += "[0-9]*"
	}
	matched, err := regexp.MatchString("^(?s:"+expr+")$", absolute(path))
	return matched && err == nil
}

const (
	maxRotationSeconds   = 366 * 24 * 3600
	maxRotationMegabytes = 1 << 40
	maxRotationCount     = 1_000_000
)

// withTime is an example of a name with a time in it.
func withTime(name string) string {
	base := filepath.Base(name)
	at := strings.IndexByte(base, '.')
	if at <= 0 {
		return name + "-%Y%m%d-%H%M%S"
	}
	return filepath.Join(filepath.Dir(name), base[:at]+"-%Y%m%d-%H%M%S"+base[at:])
}

// limit is how long a capture goes on, 0 = for ever: -W files of -G seconds are the end of it.
func (r rotation) limit() time.Duration {
	if r.megabytes > 0 {
		return 0
	}
	return time.Duration(r.count*r.seconds) * time.Second
}

// path is the name of the file that begins at a time as number n of those that the time names: tcpdump's names.
func (r rotation) path(name string, begun time.Time, n uint64) string {
	if r.seconds > 0 {
		name = strftime.Format(name, begun)
	}
	switch {
	case r.megabytes == 0:
		return name
	case r.count > 0 && r.seconds == 0:
		return name + fmt.Sprintf("%0*d", len(strconv.FormatUint(r.count-1, 10)), n%r.count)
	case r.count > 0:
		return name + fmt.Sprintf("%0*d", len(strconv.FormatUint(r.count-1, 10)), n)
	case n == 0:
		return name
	}
	return name + strconv.FormatUint(n, 10)
}

// rotating is a recording in several files. Packets decide when the next begins, as in tcpdump.
type rotating struct {
	*session.Writer
	when   rotation
	name   string // as -w has it
	report string // as -o has it
	out    *outFile
	slot   time.Time // when the first file of this name began
	n      uint64    // of this name
	files  uint64
	head   int64           // how large the file was before its first packet
	fresh  bool            // no packet is in it yet
	open   map[string]bool // names of files that are not ended yet
}

// WritePacket begins another file where one is due and writes the packet.
func (r *rotating) WritePacket(p *capture.Packet) error {
	if err := r.before(p); err != nil {
		return err
	}
	return r.Writer.WritePacket(p)
}

// WriteDecoded is WritePacket.
func (r *rotating) WriteDecoded(p *capture.Packet, o *flows.Observation, payload []byte) error {
	if err := r.before(p); err != nil {
		return err
	}
	return r.Writer.WriteDecoded(p, o, payload)
}

func (r *rotating) before(p *capture.Packet) error {
	if r.due(p) {
		if err := r.next(p); err != nil {
			return err
		}
	}
	if r.fresh {
		r.fresh, r.head = false, r.size()
	}
	return nil
}

// due says that the packet belongs into another file. What a file begins with may be larger than a file is to be; half as much as that
// stands behind it all the same, or each packet would begin another one.
func (r *rotating) due(p *capture.Packet) bool {
	switch most := int64(r.when.megabytes) * 1_000_000; {
	case r.fresh:
		return false
	case r.late(p):
		return r.when.megabytes > 0 || r.when.count == 0 || r.files < r.when.count
	default:
		return most > 0 && r.size() > max(most, r.head)+min(r.head, most/2)
	}
}

func (r *rotating) late(p *capture.Packet) bool {
	return r.when.seconds > 0 && capture.At(p.Time).Sub(r.slot) >= time.Duration(r.when.seconds)*time.Second
}

// size is how large the file is, but for what its compression holds back.
func (r *rotating) size() int64 {
	if r.out.compressor != nil {
		return r.out.bytes
	}
	return r.out.bytes + r.Pending()
}

// next ends the file and begins the next one.
func (r *rotating) next(p *capture.Packet) error {
	r.n++
	if r.late(p) {
		r.slot, r.n = capture.At(p.Time), 0
	}
	name := r.when.path(r.name, r.slot.Local(), r.n)
	if name == r.out.name {
		return fmt.Errorf("the next file would be called %s too, and overwrite it", name)
	}
	if isPipe(name) {
		return fmt.Errorf("the next file would be %s, which is a named pipe", name)
	}
	if sameName(name, r.report) {
		return fmt.Errorf("the next file would be %s, where the report goes", name)
	}
	if r.open[name] {
		if err := r.EndEarlier(p.Time); err != nil {
			return err
		}
	}
	out, err := createFile(context.Background(), io.Discard, name)
	if err != nil {
		return err
	}
	before := r.out
	r.out, r.fresh = out, true
	r.files++
	if r.open == nil {
		r.open = map[string]bool{}
	}
	r.open[before.name] = true
	ended := func() error {
		delete(r.open, before.name)
		return before.close()
	}
	// Flushed, so that who is killed leaves no file without a beginning.
	return errors.Join(r.Next(out.writer(), p.Time, ended), r.Flush())
}

// newRun names a run, so that its files are told from others'.
func newRun() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return fmt.Sprintf("%x", b)
}
