package main

import (
	"io"
	"math"
	"os"
	"time"
)

// direct writes large pieces of a file past the page cache, which takes a tenth of the processor time: no page is allocated,
// copied to and written back. The disk is waited for, so a piece goes this way only as long as the disk is quick: bursts that it cannot
// take at once are for the page cache.
type direct struct {
	file   *os.File      // the recording once more, open with O_DIRECT
	buffer []byte        // what is written comes from here
	pause  int           // so many pieces go through the page cache
	since  time.Time     // when the first piece of those that are judged together was begun
	pieces int           // of these
	waited time.Duration // for them
	ended  time.Time     // when the piece before was written
}

const (
	// directPage is what positions and lengths are multiples of. No disk wants more.
	directPage = 4096
	// leastDirect bytes are worth it. Shorter pieces come at low rates.
	leastDirect = 256 << 10
	// A disk is slow that has a capture wait for half of the time, by the measure of judgedPieces of some 900 KiB, or for one as long as
	// slowDirect and as slowPieces more take to come: those wait in the capture's buffer, which has 32 MiB or more.
	slowDirect   = 50 * time.Millisecond
	slowPieces   = 8
	judgedPieces = 16
	// directPause pieces later it is tried again.
	directPause = 64
)

// write is cached.Write at a position, that of cached.
func (d *direct) write(cached *os.File, p []byte, at int64) (n int, err error) {
	head := int(-at & (directPage - 1))
	if len(p) < head+leastDirect || d.paused() {
		return cached.Write(p)
	}
	if n, err = cached.Write(p[:head]); err != nil {
		return n, err
	}
	begun := time.Now()
	m, err := d.file.WriteAt(p[head:head+(len(p)-head)&^(directPage-1)], at+int64(head))
	n += m
	d.judge(begun, time.Now(), err)
	if _, err := cached.Seek(at+int64(n), io.SeekStart); err != nil {
		return n, err
	}
	// The rest is less than a page, or could not be written: the page cache takes it, or says why not.
	m, err = cached.Write(p[n:])
	return n + m, err
}

func (d *direct) paused() bool {
	if d.pause == 0 {
		return false
	}
	d.pause--
	return true
}

// judge decides where the next pieces go, after one that was begun and ended.
func (d *direct) judge(begun, ended time.Time, err error) {
	if d.pieces == 0 {
		d.since, d.waited = begun, 0
	}
	waited, gathered := ended.Sub(begun), begun.Sub(d.ended)
	d.ended = ended
	d.waited += waited
	d.pieces++
	switch {
	case err != nil:
		d.pause = math.MaxInt
	case waited > slowDirect && waited/slowPieces > gathered, d.pieces == judgedPieces && d.waited > ended.Sub(d.since)/2:
		d.pause = directPause
	case d.pieces < judgedPieces:
		return
	}
	d.pieces = 0
}
