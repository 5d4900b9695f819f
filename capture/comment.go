package capture

import (
	"bytes"
	"path"
	"strconv"
	"strings"
)

const (
	optionComment = 1

	// maxComments bounds the packets' options that comments are remembered by, and maxCommentText each, in bytes: 4 MiB in all.
	maxComments    = 4096
	maxCommentText = 1024
)

// comment is what the comments of a packet say of its process; nil if nothing.
type comment struct {
	process *Process
	dialect Dialect
}

// inComments reads the comments among a packet's options. Those of one process repeat from packet to packet, so what they
// say is remembered.
func (p *processes) inComments(rest []byte, order byteOrder) (*Process, Dialect) {
	if known, ok := p.commented[string(rest)]; ok {
		return known.process, known.dialect
	}
	said := &comment{}
	all := options{rest: rest, order: order}
	var q Process
	for code, value, ok := all.next(); ok; code, value, ok = all.next() {
		if code == optionComment {
			q.readComment(string(bytes.ToValidUTF8(value, []byte("\uFFFD"))), &said.dialect)
		}
	}
	if said.dialect != 0 {
		said.process = p.same(q)
	}
	if len(rest) <= maxCommentText {
		if len(p.commented) >= maxComments {
			clear(p.commented)
		}
		p.commented[string(rest)] = said
	}
	return said.process, said.dialect
}

// readComment takes over what a comment says, if a program that puts processes into comments wrote it. dialect is 0 until one
// is recognised; what others say is left out from then on.
func (p *Process) readComment(text string, dialect *Dialect) {
	switch {
	case *dialect == DialectPtcpdump || *dialect == 0 && strings.HasPrefix(text, "PID: "):
		if p.readPtcpdump(text) {
			*dialect = DialectPtcpdump
		}
	case *dialect != 0:
	case strings.HasPrefix(text, "rustnet "):
		if p.readRustnet(text) {
			*dialect = DialectRustnet
		}
	default:
		if p.readMatrixNet(text) {
			*dialect = DialectMatrixNet
		}
	}
}

// readPtcpdump reads lines such as "PID: 4711", "Cmd: /usr/bin/curl" and "Args: curl example.com", which newer versions spread
// over several comments (ptcpdump's internal/writer/pcapng.go). The arguments stand there with spaces between them.
func (p *Process) readPtcpdump(text string) bool {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch name {
		case "PID":
			p.PID, _ = readPID(value)
		case "Cmd":
			p.Path = value[:min(len(value), maxProcessPath)]
			p.Name = path.Base(p.Path)
		case "Args":
			p.Cmdline = strings.Join(strings.Fields(value[:min(len(value), maxCmdline)]), "\x00")
		case "UserId":
			p.readUID(value)
		case "ParentPID":
			p.PPID, _ = readPID(value)
		}
	}
	return p.PID > 0
}

// readRustnet reads "rustnet process=curl pid=4711 ...": words without spaces in them (rustnet's src/app/pcapng_export.rs). Its
// direction is that of the connection, not of the packet.
func (p *Process) readRustnet(text string) bool {
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "process":
			p.Name = value[:min(len(value), maxNameText)]
		case "pid":
			p.PID, _ = readPID(value)
		case "ppid":
			p.PPID, _ = readPID(value)
		case "uid":
			p.readUID(value)
		}
	}
	return p.PID > 0 || p.Name != ""
}

// readMatrixNet reads "Safari (pid 42)" (MatrixNet's App/Sources/PacketsView.swift).
func (p *Process) readMatrixNet(text string) bool {
	rest, closed := strings.CutSuffix(text, ")")
	at := strings.LastIndex(rest, " (pid ")
	if !closed || at <= 0 || at > maxNameText {
		return false
	}
	pid, ok := readPID(rest[at+len(" (pid "):])
	if ok {
		p.PID, p.Name = pid, rest[:at]
	}
	return ok
}

func (p *Process) readUID(text string) {
	if uid, err := strconv.ParseUint(text, 10, 32); err == nil {
		p.UID, p.User = uint32(uid), text
	}
}

func readPID(text string) (int32, bool) {
	pid, err := strconv.ParseUint(text, 10, 32)
	if err != nil || pid == 0 || pid > maxPID {
		return 0, false
	}
	return int32(pid), true
}
