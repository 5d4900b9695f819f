package names

import "bytes"

// maxHead bounds an HTTP request's head: servers take 8 KiB (nginx, Apache) to 16 KiB (Node.js).
const maxHead = 16 << 10

// request reads one head of an HTTP/1 request (RFC 9112 §2.1) and steps over its body, if its length is stated.
func (s *Sniffer) request(side Side, at int64) bool {
	d := &s.sides[side]
	p := d.pieces.prefix()
	end := headEnd(p, d.scanned)
	if end < 0 {
		d.scanned = len(p)
		if len(p) <= maxHead {
			return false
		}
		end = len(p)
	}
	r := parseRequest(p[:end])
	s.seen.takeRequest(&r, side, at)
	d.mode, d.patient = seeking, true
	if r.length > 1<<30 {
		r.length = 0 // no distance that sequence numbers can tell
	}
	d.advance(end + r.length)
	return true
}

// headEnd is the length of the head that p begins with, -1 without an empty line. The first scanned bytes have none.
func headEnd(p []byte, scanned int) int {
	from := max(scanned-3, 0)
	for {
		i := bytes.IndexByte(p[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		rest := p[from:]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// httpRequest is what is kept of a request's head; its slices point into it.
type httpRequest struct {
	host   []byte // of the Host field
	target []byte // the authority of an absolute-form or authority-form target
	length int    // Content-Length
}

func parseRequest(head []byte) (r httpRequest) {
	line, rest := cutLine(head)
	r.target = authority(line)
	for len(rest) > 0 && len(r.host) == 0 || len(rest) > 0 && r.length == 0 {
		line, rest = cutLine(rest)
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		switch value = bytes.TrimSpace(value); {
		case len(name) == 4 && bytes.EqualFold(name, []byte("host")):
			r.host = value
		case len(name) == 14 && bytes.EqualFold(name, []byte("content-length")):
			r.length = number(value)
		}
	}
	return r
}

// cutLine returns the first line without its end; a last line without an end is empty, since it may be cut. A carriage
// return ends it: the rest of the end may have been cut off.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, ok := bytes.Cut(b, []byte{'\n'})
	line, returned := bytes.CutSuffix(line, []byte{'\r'})
	if !ok && !returned {
		return nil, nil
	}
	return line, rest
}

func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<27 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// authority is that of a request's target (RFC 9112 §3.2.2, §3.2.3), nil if the target is a path.
func authority(line []byte) []byte {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, _ := bytes.Cut(rest, []byte{' '})
	if string(method) == "CONNECT" {
		return target
	}
	scheme, after, ok := bytes.Cut(target, []byte("://"))
	if !ok || len(scheme) > 5 || bytes.IndexByte(scheme, '/') >= 0 {
		return nil
	}
	if i := bytes.IndexAny(after, "/?#"); i >= 0 {
		after = after[:i]
	}
	return after[bytes.LastIndexByte(after, '@')+1:] // without user information
}

// takeRequest records a request's names. A target that only repeats the Host field is no name of its own.
func (s *Seen) takeRequest(r *httpRequest, side Side, at int64) {
	s.Client = side
	if len(r.host) == 0 && len(r.target) == 0 {
		s.lacks(NoServerName)
		return
	}
	if s.Hello == 0 {
		s.Hello = at
	}
	s.addHost(r.host, HTTPHost)
	if !bytes.EqualFold(r.host, r.target) {
		s.addHost(r.target, HTTPTarget)
	}
}

func (s *Seen) addHost(b []byte, origin Origin) {
	host, port := hostPort(b)
	s.add(Name{Host: Clean(host), Port: port, Origin: origin})
}

// partialRequest reads a head that is not whole: its complete lines count.
func (d *direction) partialRequest(seen *Seen, side Side) {
	if seen.Client == 1-side {
		return
	}
	seen.lacks(RequestCut)
	r := parseRequest(d.pieces.prefix())
	if len(r.host) > 0 || len(r.target) > 0 {
		seen.takeRequest(&r, side, seen.Hello)
	}
}
