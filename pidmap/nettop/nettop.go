// Package nettop reads what macOS's program nettop prints with -L: a line for each process and, below it, one for each of its
// flows. It is text in, values out, on any system. `apptap doctor` holds it against the sources of owners once; no capture asks it.
//
// Source: its output on macOS 12 to 15. Columns have moved between releases and are found by their names.
package nettop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"apptap/flows"
)

// ErrFormat says that the text does not begin with a line of column names.
var ErrFormat = errors.New("not the output of nettop -L")

// Row is a line. Bytes are payload since the flow began, or of all flows of a process that nettop has seen.
type Row struct {
	PID       int32
	Process   string    // up to 15 bytes of its name
	Flow      bool      // else it is the process's own line
	Key       flows.Key // of a Flow: local -> remote, without a peer Remote is zero; zero if it was not understood
	Interface string
	State     string
	Rx, Tx    uint64
}

const (
	maxLine = 4096
	maxRows = 1 << 16
	maxPID  = 99999 // PID_MAX of xnu bsd/sys/proc_internal.h
)

// Parse reads all lines. Lines that say nothing it knows are left out.
func Parse(r io.Reader) ([]Row, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var columns map[string]int
	var width int
	var rows []Row
	var process Row // the last of them
	for lines.Scan() && len(rows) < maxRows {
		fields := strings.Split(strings.TrimLeft(lines.Text(), "\x04\x08"), ",")
		if c := columnsOf(fields); c != nil {
			columns, width = c, len(fields)
			continue
		}
		if columns == nil {
			return rows, fmt.Errorf("read %.40q: %w", lines.Text(), ErrFormat)
		}
		row, ok := rowOf(rejoin(fields, width, columns[""]), columns)
		if !ok {
			continue
		}
		if !row.Flow {
			process = row
		} else if row.PID, row.Process = process.PID, process.Process; process.PID == 0 && process.Process == "" {
			continue
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return rows, fmt.Errorf("read nettop's output: %w", err)
	}
	if columns == nil {
		return nil, fmt.Errorf("it is empty: %w", ErrFormat)
	}
	return rows, nil
}

// columnsOf finds the columns by name; that of processes and flows has none. nil if the line is no header.
func columnsOf(fields []string) map[string]int {
	columns := map[string]int{}
	for i, name := range fields {
		if _, ok := columns[name]; !ok {
			columns[name] = i
		}
	}
	_, named := columns[""]
	_, rx := columns["bytes_in"]
	_, tx := columns["bytes_out"]
	if !named || !rx || !tx || columns[""] > 1 {
		return nil
	}
	return columns
}

// rejoin undoes the commas in a name, of which there is no other sign than that the line has too many fields.
func rejoin(fields []string, width, name int) []string {
	extra := len(fields) - width
	if extra <= 0 {
		return fields
	}
	joined := append([]string{}, fields[:name]...)
	joined = append(joined, strings.Join(fields[name:name+extra+1], ","))
	return append(joined, fields[name+extra+1:]...)
}

func rowOf(fields []string, columns map[string]int) (row Row, ok bool) {
	field := func(name string) string {
		if i, ok := columns[name]; ok && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	row = Row{Interface: field("interface"), State: field("state")}
	row.Rx, _ = strconv.ParseUint(field("bytes_in"), 10, 64) // empty where nothing was counted
	row.Tx, _ = strconv.ParseUint(field("bytes_out"), 10, 64)
	what := field("")
	if kind, ends, found := strings.Cut(what, " "); found && strings.Contains(ends, "<->") {
		row.Flow = true
		row.Key = keyOf(kind, ends)
		return row, true
	}
	dot := strings.LastIndexByte(what, '.')
	if dot < 0 {
		return row, false
	}
	pid, err := strconv.ParseInt(what[dot+1:], 10, 32)
	if err != nil || pid < 0 || pid > maxPID {
		return row, false
	}
	row.PID, row.Process = int32(pid), what[:dot]
	return row, row.Process != ""
}

// keyOf reads "tcp4" and "192.0.2.2:62457<->198.51.100.7:443", or "udp6" and "2001:db8::2.5353<->*.*".
func keyOf(kind, ends string) flows.Key {
	var proto flows.Protocol
	switch {
	case strings.HasPrefix(kind, "tcp"):
		proto = flows.TCP
	case strings.HasPrefix(kind, "udp"), strings.HasPrefix(kind, "quic"):
		proto = flows.UDP
	default:
		return flows.Key{}
	}
	before, after, _ := strings.Cut(ends, "<->")
	local, okLocal := endpoint(before, strings.HasSuffix(kind, "6"))
	remote, okRemote := endpoint(after, strings.HasSuffix(kind, "6"))
	if !okLocal || !okRemote || local.Port() == 0 {
		return flows.Key{}
	}
	if remote.Port() == 0 || remote.Addr().IsUnspecified() {
		key := flows.MakeKey(proto, local, local)
		key.Remote = flows.Endpoint{}
		return key
	}
	return flows.MakeKey(proto, local, remote)
}

// endpoint reads an address and a port: the port of IPv6 stands after a dot. A star is any.
func endpoint(text string, v6 bool) (netip.AddrPort, bool) {
	any, separator := netip.IPv4Unspecified(), byte(':')
	if v6 {
		any, separator = netip.IPv6Unspecified(), '.'
	}
	at := strings.LastIndexByte(text, separator)
	if at < 0 {
		return netip.AddrPort{}, false
	}
	addr, port := any, uint64(0)
	var err error
	if text[:at] != "*" {
		if addr, err = netip.ParseAddr(text[:at]); err != nil || addr.Is6() != v6 {
			return netip.AddrPort{}, false
		}
	}
	if text[at+1:] != "*" {
		if port, err = strconv.ParseUint(text[at+1:], 10, 16); err != nil {
			return netip.AddrPort{}, false
		}
	}
	return netip.AddrPortFrom(addr.WithZone("").Unmap(), uint16(port)), true
}
