package session

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"apptap/flows"
	"apptap/internal/jsonwords"
	"apptap/pidmap"
)

// MethodSocketsFile says that a file beside the capture named the owner: see ReadSockets.
const MethodSocketsFile pidmap.Method = "sockets_file"

// Bounds of a file of sockets: a line takes 2.5 KiB at the most, of which 0.6 stay, 170 MiB in all.
const (
	maxSocketLine  = 64 << 10
	maxSocketLines = 1 << 16
	maxSocketBytes = 16 << 20
	maxHolders     = 256 // of one socket
)

// forever is past every packet.
const forever = 1 << 62

// socketLine is a line of such a file: a process had a socket from a time to another.
type socketLine struct {
	Proto   string   `json:"proto"`
	Local   string   `json:"local"`
	Remote  string   `json:"remote"`
	From    moment   `json:"from"`
	To      moment   `json:"to"`
	PID     int32    `json:"pid"`
	Start   moment   `json:"start"`
	PPID    int32    `json:"ppid"`
	UID     *uint32  `json:"uid"`
	User    string   `json:"user"`
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Cmdline []string `json:"cmdline"`
}

// moment is a time: nanoseconds since 1970 UTC, or RFC 3339. 0 is none.
type moment int64

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if b[0] != '"' {
		return json.Unmarshal(b, (*int64)(m))
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil || text == "" {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("time %q: want RFC 3339 such as 2026-03-14T09:26:53.5Z, or nanoseconds since 1970", text)
	}
	if t.Year() < 1970 || t.Year() > 2261 {
		return fmt.Errorf("time %q: want one of 1970 to 2261", text)
	}
	*m = moment(t.UnixNano())
	return nil
}

// ReadSockets reads who owned which socket when, a JSON object a line, from r, a file that messages call name, for a capture
// that does not say. Its error says which line makes no sense; docs/scripting.md says what does.
func ReadSockets(r io.Reader, name string) ([]pidmap.Event, error) {
	s := sockets{known: map[socketLife]int{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxSocketLine)
	number, size := 0, 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if size += len(line); number > maxSocketLines || size > maxSocketBytes {
			return nil, fmt.Errorf("%s: more than %d lines or %d MiB of sockets; leave out those that are not of the capture's time", name, maxSocketLines, maxSocketBytes>>20)
		}
		if len(line) == 0 {
			continue
		}
		if err := s.add(line); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, number, err)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s: line %d is longer than %d bytes", name, number+1, maxSocketLine)
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	s.known = nil
	return s.events(), nil
}

// sockets are those of a file.
type sockets struct {
	list  []socketOwned
	known map[socketLife]int // index into list
}

// socketLife is a socket while it had its addresses. Several lines of the same one are several processes that had it open.
type socketLife struct {
	socket   pidmap.Socket
	from, to int64
}

type socketOwned struct {
	socketLife
	holders []pidmap.Process
}

func (s *sockets) add(text []byte) error {
	var line socketLine
	if err := json.Unmarshal(text, &line); err != nil {
		return jsonwords.Of(err)
	}
	life, err := line.life()
	if err != nil {
		return err
	}
	process, err := line.process()
	if err != nil {
		return err
	}
	at, known := s.known[life]
	if !known {
		at = len(s.list)
		s.known[life] = at
		s.list = append(s.list, socketOwned{socketLife: life})
	}
	if len(s.list[at].holders) == maxHolders {
		return fmt.Errorf("the socket has more than %d owners", maxHolders)
	}
	s.list[at].holders = append(s.list[at].holders, process)
	return nil
}

// events are what a source of ownership would have told. Sockets have cookies of their own, which tell the lives of one 5-tuple
// apart: those of a kernel are small numbers.
func (s *sockets) events() []pidmap.Event {
	const ours = 1 << 63
	events := make([]pidmap.Event, 0, 2*len(s.list))
	for i := range s.list {
		o := &s.list[i]
		socket := o.socket
		socket.Cookie = ours | uint64(i)
		events = append(events,
			pidmap.Event{Kind: pidmap.SocketSeen, Time: o.from, NotBefore: o.from, Method: MethodSocketsFile, Socket: socket, Holders: o.holders},
			pidmap.Event{Kind: pidmap.SocketClosed, Time: o.to, LastSeen: o.to, Method: MethodSocketsFile, Socket: socket})
	}
	return events
}

func (l *socketLine) life() (life socketLife, err error) {
	protos := map[string]flows.Protocol{"tcp": flows.TCP, "udp": flows.UDP}
	s := &life.socket
	proto, ok := protos[strings.ToLower(l.Proto)]
	if !ok {
		return life, fmt.Errorf("proto %q: want tcp or udp", l.Proto)
	}
	local, dual, err := parseEndpoint("local", l.Local)
	if err != nil {
		return life, err
	}
	s.Key = flows.Key{Local: endpointOf(local), Proto: proto, IPv6: local.Addr().Is6()}
	if l.Remote != "" {
		remote, unknown, err := parseEndpoint("remote", l.Remote)
		switch {
		case err != nil:
			return life, err
		case unknown || remote.Port() == 0:
			return life, fmt.Errorf("remote %q: want an address and a port, or nothing for a socket without a peer", l.Remote)
		case remote.Addr().Is4() != local.Addr().Is4():
			return life, fmt.Errorf("local %q and remote %q are of different families", l.Local, l.Remote)
		case local.Addr().IsUnspecified():
			return life, fmt.Errorf("local %q: a socket with a peer has an address", l.Local)
		}
		s.Key.Remote = endpointOf(remote)
	} else {
		s.Listening = proto == flows.TCP
		s.DualStack = dual
	}
	if local.Port() == 0 {
		return life, fmt.Errorf("local %q: want a port", l.Local)
	}
	life.from, life.to = int64(l.From), int64(l.To)
	if life.to == 0 {
		life.to = forever
	}
	if life.from < 0 || life.to > forever || life.to < life.from {
		return life, fmt.Errorf("from %d to %d is no time: want nanoseconds since 1970, the earlier first", life.from, life.to)
	}
	return life, nil
}

// parseEndpoint reads an address and a port; "*:443" and "[::]:443" are every address, of both families.
func parseEndpoint(what, text string) (a netip.AddrPort, every bool, err error) {
	if port, ok := strings.CutPrefix(text, "*:"); ok {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return a, true, fmt.Errorf("%s %q: want *: and a port, such as *:443", what, text)
		}
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(number)), true, nil
	}
	a, err = netip.ParseAddrPort(text)
	if err != nil {
		return a, false, fmt.Errorf("%s %q: want an address and a port, such as 192.0.2.1:443 or [2001:db8::1]:443", what, text)
	}
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	return a, a.Addr() == netip.IPv6Unspecified(), nil
}

func (l *socketLine) process() (p pidmap.Process, err error) {
	if l.PID <= 0 {
		if l.PID == 0 {
			return p, errors.New("no pid: want the number of the process that had the socket")
		}
		return p, fmt.Errorf("pid %d: want the number of a process", l.PID)
	}
	p = pidmap.Process{
		Key:       pidmap.ProcessKey{PID: l.PID, Start: uint64(max(l.Start, 0))},
		StartTime: int64(max(l.Start, 0)), PPID: l.PPID, User: l.User, Name: l.Name, Path: l.Path, Cmdline: l.Cmdline,
	}
	if l.UID != nil {
		p.UID = *l.UID
		if p.User == "" {
			p.User = strconv.FormatUint(uint64(*l.UID), 10)
		}
	}
	if p.Name == "" {
		p.Name = p.Path[strings.LastIndexByte(p.Path, '/')+1:]
	}
	return p, nil
}
