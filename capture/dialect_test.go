package capture_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
)

// ngCustom is a custom block of Wireshark's with one entry, which is little-endian in every file.
func ngCustom(o appender, company, kind uint32, entry []byte) []byte {
	b := o.AppendUint32(nil, company)
	b = binary.LittleEndian.AppendUint32(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(entry)))
	return ngBlock(o, 0xbad, append(b, entry...))
}

func ngEntry(pid uint32, options ...[]byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, pid), bytes.Join(options, nil)...)
}

// pidOf is epb_processid_threadid.
func pidOf(o appender, pid uint32) []byte {
	return ngOption(o, 8, o.AppendUint32(o.AppendUint32(nil, pid), 7))
}

// ngAt is a packet at a time in microseconds, with options.
func ngAt(o appender, micros uint64, options ...[]byte) []byte {
	b := ngOwned(o, 0, options...)
	o.PutUint32(b[12:], uint32(micros>>32))
	o.PutUint32(b[16:], uint32(micros))
	return b
}

// processesOf lists the process of each packet in a file.
func processesOf(t *testing.T, file []byte) (all []string) {
	t.Helper()
	source, err := capture.NewReader(bytes.NewReader(file), "test")
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	for err = source.Next(&p); err == nil; err = source.Next(&p) {
		if p.Owner == nil {
			all = append(all, "nobody")
			continue
		}
		q := p.Owner.For()
		all = append(all, fmt.Sprintf("%d %d %q %q %q ppid %d uid %d %q start %d", p.Owner.Dialect, q.PID, q.Name, q.Path, q.Cmdline, q.PPID, q.UID, q.User, q.StartTime))
	}
	return all
}

// TestWiresharkBlocks reads what Wireshark writes (its test/captures/_gen_process_info_blocks.py): a section in each byte order.
func TestWiresharkBlocks(t *testing.T) {
	const every = "d2040000020004006375726c03000d002f7573722f62696e2f6375726c000000" +
		"040019006375726c0068747470733a2f2f6578616d706c652e636f6d2f000000050004000100000006000400" +
		"e803000007000500616c696365000000080010006b8b4567327b23c6643c986966334873090008000000faed" +
		"5172861801000d0066697273742070726f6365737300000000000000"
	entry, err := hex.DecodeString(every)
	if err != nil {
		t.Fatal(err)
	}
	le, be := order(false), order(true)
	file := bytes.Join([][]byte{
		ngSection(le), ngInterface(le, 1, 0),
		ngCustom(le, 32622, 3, entry), ngCustom(le, 32622, 3, ngEntry(4321)),
		ngOwned(le, 0, pidOf(le, 1234)),
		ngCustom(le, 32622, 99, []byte("hello")),                                       // an entry of another kind
		ngCustom(le, 1, 3, ngEntry(5, ngOption(le, 2, []byte("x")))),                   // another company's
		ngCustom(le, 32622, 3, ngEntry(0xffffffff)), ngCustom(le, 32622, 3, []byte{1}), // impossible
		ngBlock(le, 0xbad, nil), ngBlock(le, 0x40000bad, le.AppendUint32(nil, 32622)), // short
		ngOwned(le, 0, pidOf(le, 4321)), ngOwned(le, 0, pidOf(le, 5)), ngOwned(le, 0, pidOf(le, 0)), ngOwned(le, 0),
		ngOwned(le, 0, pidOf(le, 0xffffffff)), ngOwned(le, 0, ngOption(le, 8, []byte("short"))),
		ngSection(be), ngInterface(be, 1, 0),
		ngCustom(be, 32622, 3, append(ngEntry(77, ngOption(le, 2, []byte("sshd")), ngOption(le, 6, make([]byte, 4))), 0, 0, 0, 0)),
		ngOwned(be, 0, pidOf(be, 77)), ngOwned(be, 0, pidOf(be, 1234)),
	}, nil)
	want := []string{
		`1 1234 "curl" "/usr/bin/curl" "curl\x00https://example.com/" ppid 1 uid 1000 "alice" start 1767225600000000000`,
		`1 4321 "" "" "" ppid 0 uid 0 "" start 0`,
		`2 5 "" "" "" ppid 0 uid 0 "" start 0`,
		"nobody", "nobody", "nobody", "nobody",
		`1 77 "sshd" "" "" ppid 0 uid 0 "" start 0`,
		`2 1234 "" "" "" ppid 0 uid 0 "" start 0`, // described in the other section
	}
	if diff := cmp.Diff(want, processesOf(t, file)); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}

// TestWiresharkPIDReuse: the time of a packet says which life of a PID it is of, as Wireshark decides it.
func TestWiresharkPIDReuse(t *testing.T) {
	const base = 1_757_500_000_000_000
	o := order(false)
	process := func(pid uint32, name string, start uint64) []byte {
		options := [][]byte{ngOption(o, 2, []byte(name))}
		if start > 0 {
			options = append(options, ngOption(o, 9, o.AppendUint64(nil, start*1000)))
		}
		return ngCustom(o, 32622, 3, ngEntry(pid, options...))
	}
	file := bytes.Join([][]byte{
		ngSection(o), ngInterface(o, 1, 0),
		process(500, "first", base-10), process(500, "second", base+20), process(600, "old", 0), process(600, "new", 0),
		ngAt(o, base+5, pidOf(o, 500)), ngAt(o, base+25, pidOf(o, 500)), ngAt(o, base-100, pidOf(o, 500)),
		ngAt(o, base+1, pidOf(o, 600)), ngAt(o, base+2, pidOf(o, 700)),
	}, nil)
	source, err := capture.NewReader(bytes.NewReader(file), "test")
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	for _, want := range []string{"first", "second", "first", "new", ""} {
		if err := source.Next(&p); err != nil || p.Owner == nil || p.Owner.Process.Name != want {
			t.Errorf("packet at %+d us: got %+v and %v, want %q", p.Time/1000-base, p.Owner, err, want)
		}
	}
}

func TestComments(t *testing.T) {
	tests := []struct {
		name     string
		comments []string
		want     string
	}{
		{"ptcpdump", []string{"PID: 99722\nCmd: /usr/bin/curl\nArgs: curl https://kernel.org", "UserId: 1000\nGroupId: 1000", "ParentPID: 18840\nParentCmd: /usr/bin/bash\nParentArgs: -bash"},
			`3 99722 "curl" "/usr/bin/curl" "curl\x00https://kernel.org" ppid 18840 uid 1000 "1000" start 0`},
		{"ptcpdump before 0.20", []string{"PID: 7\nCmd: dig\nArgs: "}, `3 7 "dig" "dig" "" ppid 0 uid 0 "" start 0`},
		{"rustnet", []string{"rustnet process=curl pid=4242 ppid=4000 uid=0 attr=exact direction=outgoing app=HTTPS sni=example.com"},
			`4 4242 "curl" "" "" ppid 4000 uid 0 "0" start 0`},
		{"rustnet without a PID", []string{"rustnet process=curl country=DE"}, `4 0 "curl" "" "" ppid 0 uid 0 "" start 0`},
		{"rustnet without a process", []string{"rustnet country=DE asn=3320"}, "nobody"},
		{"MatrixNet", []string{"Google Chrome (beta) (pid 42)"}, `5 42 "Google Chrome (beta)" "" "" ppid 0 uid 0 "" start 0`},
		{"somebody's remark, then a process", []string{"retransmission of 7", "Safari (pid 42)"}, `5 42 "Safari" "" "" ppid 0 uid 0 "" start 0`},
		{"one dialect counts", []string{"Safari (pid 42)", "rustnet process=curl pid=1"}, `5 42 "Safari" "" "" ppid 0 uid 0 "" start 0`},
		{"remarks", []string{"look here", "curl (pid x)", "(pid 42)", " (pid 42)", "PID: none", "rustnet", "curl (pid 0)", "curl (pid 99999999)", ""}, "nobody"},
		{"not UTF-8", []string{"\xff\x00 (pid 42)"}, `5 42 "` + "\uFFFD" + `\x00" "" "" ppid 0 uid 0 "" start 0`},
	}
	for _, big := range []bool{false, true} {
		o := order(big)
		for _, test := range tests {
			var options [][]byte
			for _, text := range test.comments {
				options = append(options, ngOption(o, 1, []byte(text)))
			}
			packet := ngOwned(o, 0, options...)
			got := processesOf(t, bytes.Join([][]byte{ngSection(o), ngInterface(o, 1, 0), packet, packet}, nil))
			if diff := cmp.Diff([]string{test.want, test.want}, got); diff != "" {
				t.Errorf("%s, big endian %v (-want +got):\n%s", test.name, big, diff)
			}
		}
	}
}

// TestManyDialects: a file that names more processes than are kept is read to its end, in memory that is bounded.
func TestManyDialects(t *testing.T) {
	o := order(false)
	var file bytes.Buffer
	file.Write(ngSection(o))
	file.Write(ngInterface(o, 1, 0))
	long := bytes.Repeat([]byte("x"), 4000)
	const packets = 20000
	for i := range uint32(packets) {
		file.Write(ngCustom(o, 32622, 3, ngEntry(i, ngOption(o, 4, long))))
		file.Write(ngOwned(o, 0, pidOf(o, i+1), ngOption(o, 1, fmt.Appendf(nil, "rustnet pid=%d sni=%d", i+1, i))))
	}
	source, err := capture.NewReader(&file, "test")
	if err != nil {
		t.Fatal(err)
	}
	var p capture.Packet
	n, last := 0, int32(0)
	for err = source.Next(&p); err == nil; err = source.Next(&p) {
		if n++; p.Owner == nil {
			t.Fatalf("packet %d has no owner", n)
		}
		last = p.Owner.Process.PID
	}
	if n != packets || last != packets {
		t.Errorf("got %d packets, the last of process %d, and %v; want %d of both", n, last, err, packets)
	}
}
