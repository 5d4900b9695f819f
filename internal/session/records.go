package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"apptap/internal/jsonwords"
	"apptap/pidmap"
	"apptap/summarize"
)

// errUnknownKind says that a record is of a kind that a newer apptap made: it is passed over.
var errUnknownKind = errors.New("unknown kind")

// records are what the blocks of one file have told so far.
type records struct {
	state     *stateRecord
	before    []*stateRecord // the last ones of sessions that stand before in the same file
	stateSize int            // bytes of all of these
	events    []pidmap.Event
	counters  []summarize.SocketCounters
	lacks     *lacksRecord // the last one; nil = none
	processes map[uint32]pidmap.Process

	told         int // events in all
	counted      countedSockets
	processBytes int
	newer        string // version of blocks that are not understood
	unread       int    // records that make no sense
	firstUnread  error
	beyond       bool // the bounds were met: the rest is not kept

	files   int         // of the run, as far as they were opened
	first   *partRecord // of the first of them that is one of several
	skipped []span      // parts of the run that lie between others and are not there
	lost    []span      // parts that were not read, or not to their end
	ahead   []toldAhead // what later parts tell too
	unended []span      // those that lack their end, though nothing in them is cut in the middle
	cut     bool        // a part of the run was not read to its end
	torn    bool        // it is the one read last
	resumes bool        // the file begins behind something that is missing: what it tells again may not have been told
	empty   bool        // it has been read, and no packet is in it
	joined  bool        // parts of one run stand one behind the other in this file
	newest  partIn      // of the run, so far
	twice   [2]int      // numbers of two files that have the same part of the run, from 1; 0 = none
}

// take reads a block. Nothing in it is an error: a record that makes no sense is counted.
func (r *records) take(body []byte) {
	lines, ok := bytes.CutPrefix(body, []byte(magic))
	if !ok {
		r.foreign(body)
		return
	}
	for line := range bytes.Lines(lines) {
		if line = bytes.Trim(line, "\n\x00"); len(line) == 0 {
			continue
		}
		if err := r.add(line); err != nil && !errors.Is(err, errUnknownKind) {
			r.unread++
			if r.firstUnread == nil {
				r.firstUnread = jsonwords.Of(err)
			}
		}
	}
}

// foreign notes a block of another version; one of another program is none of ours.
func (r *records) foreign(body []byte) {
	const name = "apptap.session/"
	if version, ok := bytes.CutPrefix(body, []byte(name)); ok {
		end := bytes.IndexByte(version, '\n')
		r.newer = fmt.Sprintf("%.20q", version[:max(end, 0)])
	}
}

func (r *records) add(line []byte) error {
	var one record
	if err := json.Unmarshal(line, &one); err != nil {
		return err
	}
	switch {
	case one.Process != nil:
		return r.addProcess(one.Process, len(line))
	case one.Again && r.has(one.In):
	case one.Event != nil:
		return r.addEvent(one.Event, &one)
	case one.Counters != nil:
		return r.addCounters(one.Counters)
	case one.State != nil && len(line) <= maxStateBytes:
		r.addState(one.State, len(line))
	case one.Lacks != nil && len(line) <= maxStateBytes:
		r.lacks = one.Lacks
	}
	return nil
}

// has says whether what is told again was read, from the newest part of the run that has it. Files without that number have all of what the
// one before had.
func (r *records) has(part *int) bool {
	switch {
	case r.files <= 1 && !r.joined:
		return false
	case part == nil || r.first == nil || r.state == nil:
		return !r.resumes
	}
	return r.read(*part)
}

// addState takes a state in the place of the one before it, unless that is another session's: two files make one when they are put one
// behind the other.
func (r *records) addState(s *stateRecord, size int) {
	r.follows(s.Part)
	if r.state != nil && !r.state.sameRun(s) {
		if r.stateSize += size; r.stateSize > maxStatesBytes {
			r.beyond = true
			return
		}
		r.before = append(r.before, r.state)
	}
	r.state = s
}

// sameRun says that s is a later state of r's run. What an export writes before it has read anything has no start.
func (r *stateRecord) sameRun(s *stateRecord) bool {
	return r.Start == 0 || r.Start == s.Start || r.Part != nil && s.Part != nil && r.Part.Run == s.Part.Run
}

// states are the last one of each session in the file.
func (r *records) states() []*stateRecord {
	if r.state == nil {
		return nil
	}
	return append(slices.Clone(r.before), r.state)
}

// partIn is a part of a run, and the number of the file that it is in, from 1.
type partIn struct {
	run        text
	part, file int
}

// repeats notes that a file has a part that an earlier one has: parts come in their order, but one file may have several that were put one behind
// the other.
func (r *records) repeats(p *partRecord) {
	known := r.newest.file > 0 && r.newest.run == p.Run && p.Part <= r.newest.part
	switch {
	case !known:
		r.newest = partIn{p.Run, p.Part, r.files}
	case r.newest.file < r.files:
		r.twice = [2]int{r.newest.file, r.files}
	}
}

// follows notes which files of the run lie between the one read before and this.
func (r *records) follows(p *partRecord) {
	if p == nil {
		return
	}
	if r.first == nil {
		r.first = p
	}
	r.repeats(p)
	if r.state == nil || r.state.Part == nil {
		return
	}
	r.joined = r.joined || r.files <= 1 && p.Run == r.state.Part.Run && p.Part != r.state.Part.Part
	before := r.state.Part.Part
	if p.Part <= before {
		return
	}
	if !r.torn && !r.state.continued() {
		r.unended = append(r.unended, span{before, before})
		r.cut, r.torn = true, true
	}
	if r.torn {
		r.lost = append(r.lost, span{before, before})
	}
	skips := p.Part > before+1
	if skips {
		r.skipped = append(r.skipped, span{before + 1, p.Part - 1})
		r.lost = append(r.lost, span{before + 1, p.Part - 1})
	}
	r.passed(p.Part)
	r.resumes, r.torn = skips || r.torn, false
}

// ended is told once all files were read.
func (r *records) ended() {
	if r.torn && r.state != nil && r.state.Part != nil {
		r.lost = append(r.lost, span{r.state.Part.Part, r.state.Part.Part})
	}
	r.passed(math.MaxInt)
}

// gap says why packets are missing that were captured between the first and the last file, "" if none are.
func (r *records) gap() string {
	switch {
	case len(r.skipped) > 0:
		return parts(r.skipped...) + " not given"
	case r.cut:
		return "a file of the run could not be read to its end"
	}
	return ""
}

// span is files of a run, from first to last of it.
type span struct{ first, last int }

// compare says whether the span stands before a file, has it, or stands behind it.
func (s span) compare(part int) int {
	switch {
	case s.last < part:
		return -1
	case s.first > part:
		return 1
	}
	return 0
}

// mostSpans are named; a damaged file may leave out any number.
const mostSpans = 8

// parts names files of a run, counted from 1: "files 3 and 5 to 7 of the run are".
func parts(list ...span) string {
	var words []string
	for _, s := range list[:min(len(list), mostSpans)] {
		word := strconv.Itoa(s.first + 1)
		if s.last > s.first {
			word = fmt.Sprintf("%s to %d", word, s.last+1)
		}
		words = append(words, word)
	}
	if len(list) > mostSpans {
		words = append(words, "others")
	}
	last := len(words) - 1
	switch {
	case last > 0:
		return "files " + strings.Join(words[:last], ", ") + " and " + words[last] + " of the run are"
	case list[0].last > list[0].first:
		return "files " + words[0] + " of the run are"
	}
	return "file " + words[0] + " of the run is"
}

func (r *records) addProcess(p *processRecord, size int) error {
	if r.processBytes += size; r.processBytes > maxProcessBytes {
		r.beyond = true
		return nil
	}
	if r.processes == nil {
		r.processes = map[uint32]pidmap.Process{}
	}
	if p.Number == 0 {
		return errors.New("process without a number")
	}
	r.processes[p.Number] = p.process()
	return nil
}

func (r *records) process(number uint32) (pidmap.Process, error) {
	p, ok := r.processes[number]
	if !ok && number != 0 {
		return p, fmt.Errorf("process %d is not described", number)
	}
	return p, nil
}

func (r *records) addEvent(e *eventRecord, one *record) error {
	event, err := e.event(r.process)
	if err != nil {
		return err
	}
	if one.In != nil && r.state != nil && r.isAhead(*one.In) {
		if r.beyond = r.beyond || len(r.ahead) == maxEvents; !r.beyond {
			r.ahead = append(r.ahead, toldAhead{event, *one.In})
		}
		return nil
	}
	r.keep(&event, one.Again)
	return nil
}

// keep takes an event; again says that another file has it too.
func (r *records) keep(e *pidmap.Event, again bool) {
	if r.first != nil && e.Datagrams != nil && !r.counted.add(e) && again {
		return
	}
	if r.told++; r.told > maxEvents {
		r.beyond = true
		return
	}
	r.events = append(r.events, *e)
}

// toldAhead is an event that a later part of the run has too.
type toldAhead struct {
	event pidmap.Event
	part  int
}

// maxAhead is how many parts later a file tells of at most, which waits for what is told late while they are written.
const maxAhead = 2 * maxEndings

func (r *records) isAhead(part int) bool {
	p := r.state.Part
	return p != nil && part > p.Part && part-p.Part <= maxAhead
}

// passed takes what was told ahead of files before a part, and in these was not read.
func (r *records) passed(next int) {
	r.ahead = slices.DeleteFunc(r.ahead, func(a toldAhead) bool {
		if a.part >= next {
			return false
		}
		if !r.read(a.part) {
			r.keep(&a.event, true)
		}
		return true
	})
}

// read says whether a part was read to its end, or is being read.
func (r *records) read(part int) bool {
	_, lost := slices.BinarySearchFunc(r.lost, part, span.compare)
	return !lost && part >= r.first.Part && r.state.Part != nil && part <= r.state.Part.Part
}

func (r *records) addCounters(c *countersRecord) error {
	counters, err := c.counters()
	if err != nil {
		return err
	}
	if len(r.counters) == maxSockets {
		r.beyond = true
		return nil
	}
	r.counters = append(r.counters, counters)
	return nil
}

// troubles are what could not be read, in sentences.
func (r *records) troubles() (list []string) {
	if r.newer != "" {
		list = append(list, fmt.Sprintf("session records of format %s are not understood; replay them with the apptap that wrote them", r.newer))
	}
	if r.unread > 0 {
		what := "1 session record makes no sense and is left out, because"
		if r.unread > 1 {
			what = fmt.Sprintf("%d session records make no sense and are left out, the first because", r.unread)
		}
		list = append(list, fmt.Sprintf("%s: %v", what, r.firstUnread))
	}
	if len(r.skipped) > 0 {
		list = append(list, parts(r.skipped...)+" not given: what was captured then is not counted")
	}
	if len(r.unended) > 0 {
		list = append(list, parts(r.unended...)+" without an end: packets and owners may be missing")
	}
	if r.joined {
		list = append(list, "files of one run were put one behind the other, and each describes the interfaces anew: they are not held against the "+
			"kernel; replay the files as they were written")
	}
	if r.beyond {
		list = append(list, "there are more session records than memory is given to: the later ones are left out")
	}
	return list
}
