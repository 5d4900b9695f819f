package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"apptap/flows"
	"apptap/pidmap"
	"apptap/summarize"
)

// The Summaries of these tests are made by hand, from flows: summing them here keeps the samples
// conserved without summarize.Build.

var sampleStart = time.Date(2026, 3, 14, 9, 26, 53, 589_793_238, time.UTC).UnixNano()

// sampleSummaries are the samples by the name of their goldens.
func sampleSummaries() map[string]*summarize.Summary {
	return map[string]*summarize.Summary{
		"empty":       {Source: summarize.Source{Kind: "live", Interfaces: []string{"eth0"}, SnapLen: 262144}},
		"loopback":    loopbackSummary(),
		"browser":     browserSummary(),
		"hostile":     hostileSummary(hostileNames...),
		"unexplained": unexplainedSummary(),
		"unknown":     unknownSummary(),
		"interfaces":  interfacesSummary(),
		"scanner":     scannerSummary(),
		"owners":      ownersSummary(),
	}
}

func counts(txPackets, txBytes, rxPackets, rxBytes uint64) flows.Counts {
	const header = 54 // Ethernet, IPv4, TCP
	return flows.Counts{
		TxPackets: txPackets, TxBytes: txBytes, TxPayload: txBytes - min(txBytes, header*txPackets),
		RxPackets: rxPackets, RxBytes: rxBytes, RxPayload: rxBytes - min(rxBytes, header*rxPackets),
	}
}

func liveSource(interfaces ...string) summarize.Source {
	return summarize.Source{
		Kind: "live", Interfaces: interfaces, SnapLen: 262144,
		Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32")}, LocalFrom: "interface",
	}
}

func destination(name, source string, proto flows.Protocol, port uint16, service string, c flows.Counts) summarize.Destination {
	return summarize.Destination{
		Name: name, NameSource: source, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.7")},
		Proto: proto, Port: port, Service: service, Totals: summarize.Totals{Counts: c, Flows: 1},
	}
}

// appUse is an app of one process that owns all of destinations.
func appUse(id, name string, pid int32, destinations ...summarize.Destination) summarize.AppUse {
	use := summarize.AppUse{
		App:          pidmap.App{ID: id, Name: name, Kind: "executable", Path: id, Why: []string{"path of the executable"}},
		Destinations: destinations,
	}
	for _, d := range destinations {
		use.Totals = use.Totals.Add(d.Totals)
	}
	use.Methods = map[pidmap.Method]uint64{pidmap.MethodSockDiag: use.Bytes()}
	use.Processes = []summarize.ProcessUse{{Totals: use.Totals, Process: sampleProcess(id, name, pid)}}
	return use
}

func sampleProcess(path, name string, pid int32) pidmap.Process {
	return pidmap.Process{
		Key: pidmap.ProcessKey{PID: pid, Start: uint64(pid) * 10}, StartTime: sampleStart - 5e9, PPID: 1, UID: 1000, User: "ada",
		Name: name, Path: path, Cmdline: []string{path, "--verbose"},
	}
}

// seal fills in what follows from the apps and unknown owners: totals, window, drops.
func seal(s *summarize.Summary) *summarize.Summary {
	s.Audit.Unchecked = unchecked(s.Flows)
	s.Totals = s.Unattributed.Totals
	for _, use := range s.Apps {
		s.Totals = s.Totals.Add(use.Totals)
	}
	s.Window = summarize.Window{Start: sampleStart, End: sampleStart + 12_500_000_000}
	s.Drops.Received = s.Totals.Packets() + s.Undecoded.Packets
	return s
}

// loopbackSummary is a curl and the server that it asks, on this host: both see the same packets.
func loopbackSummary() *summarize.Summary {
	c := counts(9, 1_204, 8, 1_049_860)
	server := destination("127.0.0.1", "none", flows.TCP, 8080, "http-alt", c.Reverse())
	server.Inbound, server.PeerApp, server.Addresses = true, "curl", []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	server.Flows, server.Counts = 0, flows.Counts{}
	client := server
	client.Inbound, client.PeerApp = false, "python3"
	client.Totals = summarize.Totals{Counts: c, Flows: 1}
	s := &summarize.Summary{Source: liveSource("lo"), Apps: []summarize.AppUse{
		appUse("/usr/bin/curl", "curl", 4242, client), appUse("/usr/bin/python3.12", "python3", 4200, server),
	}}
	s.Apps[1].Methods = nil
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("127.0.0.1:51584"), netip.MustParseAddrPort("127.0.0.1:8080"))
	kernel := &summarize.KernelUse{TxPayload: c.TxPayload, TxStream: c.TxPayload, RxStream: c.RxPayload, FlowsChecked: 1, FlowsExact: 1}
	s.Flows = []summarize.FlowUse{{
		Flow: flows.Flow{
			Key: key, Locality: flows.LocalBoth, Initiator: flows.InitiatorLocal, End: flows.EndFIN, Counts: c,
			First: sampleStart, Last: sampleStart + 4e6, TxIPBytes: c.TxBytes - 14*9, RxIPBytes: c.RxBytes - 14*8,
			TxStream: c.TxPayload, RxStream: c.RxPayload, SYNRTT: 31_400, ACKRTT: flows.NoRTT,
		},
		Owner:  pidmap.Attribution{App: s.Apps[0].App, Process: s.Apps[0].Processes[0].Process, Method: pidmap.MethodSockDiag},
		Peer:   pidmap.Attribution{App: s.Apps[1].App, Process: s.Apps[1].Processes[0].Process, Method: pidmap.MethodSockDiag},
		Kernel: kernel, Verdict: summarize.VerdictExact, Interface: "lo",
	}}
	s.Apps[0].Kernel = kernel
	s.Audit = summarize.Audit{Verdict: summarize.VerdictExact, Checked: 1, Exact: 1, Interfaces: []summarize.InterfaceAudit{
		{Name: "lo", CapturedPackets: 17, CapturedBytes: c.Bytes(), KernelPackets: 17, KernelBytes: c.Bytes()},
	}}
	s.Drops.Known = true
	return seal(s)
}

// browserSummary is a desktop: a browser with many destinations, a few small apps, what nobody owns.
func browserSummary() *summarize.Summary {
	var destinations []summarize.Destination
	for i := range uint64(40) {
		name := fmt.Sprintf("edge-%02d.eu-central-1.cdn.example.com", i)
		destinations = append(destinations, destination(name, "tls_sni", flows.TCP, 443, "https", counts(900-i, 90_000-i*700, 1_800-i, 2_400_000-i*50_000)))
	}
	destinations[0].Times = sampleTimes()
	s := &summarize.Summary{Source: liveSource("wlan0"), Lookups: sampleLookups(), Apps: []summarize.AppUse{
		appUse("/usr/lib/firefox/firefox", "Firefox", 2718, destinations...),
		appUse("/usr/bin/syncthing", "syncthing", 1414,
			destination("relay.example.net", "dns", flows.TCP, 22067, "", counts(5_000, 6_800_123, 2_400, 180_077)),
			destination("2001:db8:85a3::8a2e:370:7334", "none", flows.UDP, 22000, "", counts(12, 1_800, 9, 1_340))),
		appUse("/usr/lib/systemd/systemd-resolved", "systemd-resolved", 612,
			destination("192.0.2.53", "none", flows.UDP, 53, "domain", counts(120, 9_840, 118, 21_004))),
	}}
	c := counts(31, 4_412, 12, 1_001)
	s.Unattributed = summarize.Unattributed{
		Totals:       summarize.Totals{Counts: c, Flows: 1},
		Reasons:      map[pidmap.Reason]uint64{pidmap.ReasonNoSocketSeen: c.Bytes()},
		Destinations: []summarize.Destination{destination("239.255.255.250", "none", flows.UDP, 1900, "ssdp", c)},
	}
	s.Undecoded = summarize.Undecoded{Packets: 5, Bytes: 388, Kinds: []summarize.KindUse{{Kind: "icmp", Packets: 2, Bytes: 196}, {Kind: "arp", Packets: 3, Bytes: 192}}}
	s.SeenBefore = flows.Repeated{Packets: 12, Bytes: 9_120, Kinds: [flows.RepeatKinds]uint64{flows.SamePacket: 840, flows.CarriedUnread: 8_280}}
	s.Audit = summarize.Audit{
		Verdict: summarize.VerdictExplained, Checked: 41, Exact: 29, Explained: 12, Unavailable: 3,
		Causes: []summarize.Cause{{Name: "still_open", Bytes: 1_234}},
	}
	s.Drops.Known = true
	return seal(s)
}

func sampleTimes() *summarize.Times {
	spread := func(us uint64) summarize.Distribution {
		return summarize.Distribution{Count: 6, Sum: 7 * us, Median: us, P95: 2 * us, Max: 3 * us}
	}
	return &summarize.Times{
		DNS: spread(24_000), SYNRTT: spread(18_400), Connect: spread(18_400), ACKRTT: spread(40), TLS: spread(39_000), TTFB: spread(213_000),
		Transfer: spread(88_000), RTT: spread(18_900), RTTMin: spread(18_100), First: spread(296_000), Later: spread(270_000),
		TLSFull: spread(40_000), TLSResumed: spread(38_000),
		TimeCounts: summarize.TimeCounts{
			RxPayload: 2_000_000, RxRetransmitBytes: 41_000, RxRetransmits: 29, Exchanges: 17, Wait: 3_900_000, Transferred: 912_000,
			Flows: 9, Done: 6, Unanswered: 1, Refused: 2, RxResets: 2, Full: 2, Resumed: 4, EarlyData: 1,
			Failed: summarize.Failed{
				Totals: summarize.Totals{Counts: counts(5, 370, 2, 108), Flows: 3}, First: sampleStart, Last: sampleStart + 9_000_000_000,
				Ways: [...]int{1, 2, 0, 0, 0}, Retries: 2, RetryBytes: 216,
			},
		},
	}
}

func sampleLookups() []flows.Lookup {
	return []flows.Lookup{{
		Client: netip.MustParseAddr("192.0.2.2"), Name: "edge-00.eu-central-1.cdn.example.com", Queries: 4, Answers: 2, TimedOut: 1,
		Addressed: 1, Failures: [16]uint32{2: 1}, Times: flows.RoundTrips{Samples: 2, Sum: 60_000, Min: 24_000, Max: 36_000}, Flows: 6,
	}}
}

// scannerSummary has more destinations than are listed, of an app and of nobody, and flows that were folded.
func scannerSummary() *summarize.Summary {
	others := summarize.OtherDestinations{Destinations: 64_998, Totals: summarize.Totals{Counts: counts(64_998, 3_509_892, 0, 0), Flows: 64_998}}
	s := &summarize.Summary{Source: liveSource("eth0"), Apps: []summarize.AppUse{appUse("/usr/bin/nmap", "nmap", 77,
		destination("198.51.100.1", "none", flows.TCP, 80, "http", counts(3, 174, 2, 120)),
		destination("198.51.100.2", "none", flows.TCP, 443, "https", counts(1, 58, 1, 60)),
	)}}
	app := &s.Apps[0]
	app.OtherDestinations = others
	app.Totals = app.Totals.Add(others.Totals)
	app.Processes[0].Totals = app.Totals
	app.Methods = map[pidmap.Method]uint64{pidmap.MethodSockDiag: app.Bytes()}
	s.Unattributed = summarize.Unattributed{
		Totals: others.Totals, Reasons: map[pidmap.Reason]uint64{pidmap.ReasonForwarded: others.Bytes()}, OtherDestinations: others,
	}
	s.Folded = others.Totals
	s.Drops.Known = true
	return seal(s)
}

var hostileNames = []string{
	"\x1b[2J\x1b]0;owned\a", "evil\nTOTAL  0  0  0", "moc.elpmaxe\u202e\u2066", "=HYPERLINK(\"http://x\")", "+1-2@x", "\xff\xfe bytes", "\u009b31m",
	"<script>alert(1)</script>", "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", "TOTAL", "other (3 apps)", "  indented", "", "Safari", "Safari",
	"e" + strings.Repeat("\u0301", 300), "👩\u200d👩\u200d👧 family", "a\u200bb\tc\r", `dev-disk-by\x2duuid`, strings.Repeat("long.", 60) + "example",
}

// hostileSummary has every one of names wherever a stranger's text can stand.
func hostileSummary(names ...string) *summarize.Summary {
	s := &summarize.Summary{Source: liveSource("eth0")}
	for i, name := range names {
		d := destination(name, "tls_sni", flows.TCP, 443, "https", counts(1, uint64(1000-i), 1, uint64(3000-i)))
		d.PeerApp = name
		s.Apps = append(s.Apps, appUse(fmt.Sprintf("%s#%d", name, i), name, int32(i+1), d))
		s.Degraded = append(s.Degraded, name)
		s.Source.Files = append(s.Source.Files, name)
		s.Audit.Interfaces = append(s.Audit.Interfaces, summarize.InterfaceAudit{Name: name, Unavailable: name})
		s.Undecoded.Kinds = append(s.Undecoded.Kinds, summarize.KindUse{Kind: fmt.Sprint(name, i), Packets: 1, Bytes: 60})
		s.Undecoded.Packets++
		s.Undecoded.Bytes += 60
	}
	s.Source.Filter = strings.Join(names, " or ")
	s.Audit.Verdict = summarize.VerdictUnavailable
	return seal(s)
}

// unexplainedSummary lost packets, and the kernel counted more than was captured.
func unexplainedSummary() *summarize.Summary {
	big := counts(41_000_000, 3_100_000_000, 88_000_000, 123_456_789_012)
	s := &summarize.Summary{Source: liveSource("eth0"), Apps: []summarize.AppUse{
		appUse("/usr/bin/rsync", "rsync", 99, destination("backup.example.org", "dns", flows.TCP, 873, "rsync", big)),
	}}
	s.Apps[0].Kernel = &summarize.KernelUse{TxPayload: big.TxPayload, RxPayload: big.RxPayload + 7_777, RxPayloadKnown: true, FlowsChecked: 1, UnexplainedBytes: 2_000}
	s.Flows = []summarize.FlowUse{{
		Flow:   flows.Flow{Key: flows.MakeKey(flows.TCP, netip.MustParseAddrPort("[2001:db8::2]:40000"), netip.MustParseAddrPort("[2001:db8::1]:873")), Counts: big, First: sampleStart, Last: sampleStart + 1e9, SYNRTT: 12_345_678, ACKRTT: 999},
		Owner:  pidmap.Attribution{App: s.Apps[0].App, Process: s.Apps[0].Processes[0].Process, Method: pidmap.MethodSockDiag},
		Kernel: s.Apps[0].Kernel, Verdict: summarize.VerdictUnexplained, Interface: "eth0",
		Causes: []summarize.Cause{{Name: "capture_drop", Bytes: 5_777}},
	}}
	s.Audit = summarize.Audit{
		Verdict: summarize.VerdictUnexplained, Checked: 1, Unexplained: 1, UnexplainedBytes: 2_000,
		Causes: []summarize.Cause{{Name: "capture_drop", Bytes: 5_777}, {Name: "still_open", Bytes: 300}, {Name: "fin_counted", Bytes: 2}, {Name: "a", Bytes: 1}, {Name: "b", Bytes: 1}},
		Interfaces: []summarize.InterfaceAudit{{
			Name: "eth0", CapturedPackets: 129_000_000, CapturedBytes: big.Bytes(), KernelPackets: 129_000_005, KernelBytes: big.Bytes() + 9_000,
			DroppedKernel: 4, Causes: []summarize.Cause{{Name: "capture_drop", Bytes: 9_100}}, ResidualBytes: -100,
		}},
	}
	s.Apps[0].Missed = &summarize.Missed{TxPayload: 1, RxPayload: 5_776, RxStream: 5_776, TxPackets: 1, TxBytes: 67, RxPackets: 4, RxBytes: 6_040}
	s.Missed, s.Flows[0].Missed = s.Apps[0].Missed, s.Apps[0].Missed
	s.Drops = summarize.Drops{DroppedKernel: 4, DroppedUserspace: 1, Known: true}
	s.Incomplete = true
	s.Degraded = []string{"processes of other users cannot be seen: run as root, or give the binary CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and CAP_NET_ADMIN"}
	return seal(s)
}

// unknownSummary is a file from elsewhere: nobody's flows, for several reasons.
func unknownSummary() *summarize.Summary {
	c := counts(500, 40_000, 700, 60_000)
	s := &summarize.Summary{Source: summarize.Source{Kind: "file", Files: []string{"trace.pcapng"}, LocalFrom: "inferred", Filter: "not port 22"}}
	s.Unattributed = summarize.Unattributed{
		Totals:       summarize.Totals{Counts: c, Flows: 3},
		Reasons:      map[pidmap.Reason]uint64{pidmap.ReasonAmbiguous: 70_000, pidmap.ReasonForwarded: 15_000, pidmap.ReasonNoOwnerInFile: 15_000},
		Destinations: []summarize.Destination{destination("www.example.com", "dns", flows.TCP, 80, "http", c)},
	}
	s.Unattributed.Destinations[0].Flows = 3
	s.Unattributed.Missed = &summarize.Missed{RxPayload: 1_500, RxStream: 1_000, Uncounted: 2}
	s.Missed = s.Unattributed.Missed
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort("198.51.100.1:5353"), netip.MustParseAddrPort("224.0.0.251:5353"))
	s.Flows = []summarize.FlowUse{
		sampleUnknown(key, counts(500, 40_000, 400, 30_000), pidmap.ReasonAmbiguous),
		sampleUnknown(key, counts(0, 0, 150, 15_000), pidmap.ReasonForwarded),
		sampleUnknown(key, counts(0, 0, 150, 15_000), pidmap.ReasonNoOwnerInFile),
	}
	s.Flows[0].Owner.Candidates = []pidmap.Process{sampleProcess("/usr/sbin/nginx", "nginx", 80), sampleProcess("/opt/other/nginx", "nginx", 81)}
	s.Audit = summarize.Audit{Verdict: summarize.VerdictUnavailable, Unavailable: 3}
	return seal(s)
}

func sampleUnknown(key flows.Key, c flows.Counts, reason pidmap.Reason) summarize.FlowUse {
	return summarize.FlowUse{
		Flow:  flows.Flow{Key: key, Counts: c, First: sampleStart, Last: sampleStart, SYNRTT: flows.NoRTT, ACKRTT: flows.NoRTT},
		Owner: pidmap.Attribution{Reason: reason}, Verdict: summarize.VerdictUnavailable,
		Unavailable: "nothing counted the bytes of its UDP socket, which takes eBPF on Linux and ntstat on a Mac",
	}
}

// interfacesSummary is several interfaces, more apps than a table shows, UDP that the kernel does not count.
func interfacesSummary() *summarize.Summary {
	s := &summarize.Summary{Source: liveSource("eth0", "wlan0", "utun4")}
	for i := range uint64(30) {
		id := fmt.Sprintf("/opt/tools/bin/worker-%02d", i)
		s.Apps = append(s.Apps, appUse(id, fmt.Sprintf("worker-%02d", i), int32(1000+i),
			destination("queue.example.internal", "dns", flows.TCP, 5672, "amqp", counts(100-i, 20_000-i*100, 100, 9_000-i*100))))
	}
	key := flows.MakeKey(flows.UDP, netip.MustParseAddrPort("192.0.2.2:40000"), netip.MustParseAddrPort("192.0.2.53:53"))
	for range 9 {
		s.Flows = append(s.Flows, sampleUnknown(key, flows.Counts{}, ""))
	}
	s.Audit = summarize.Audit{Verdict: summarize.VerdictExplained, Checked: 30, Exact: 18, Explained: 12, Unavailable: 9,
		Causes: []summarize.Cause{{Name: "still_open", Bytes: 1_234}, {Name: "started_before_capture", Bytes: 99}},
		Interfaces: []summarize.InterfaceAudit{
			{Name: "eth0", CapturedPackets: 5_000, CapturedBytes: 700_000, KernelPackets: 5_003, KernelBytes: 700_300, FilteredOut: 120, Causes: []summarize.Cause{{Name: "edge_of_capture", Bytes: 180}}},
			{Name: "wlan0", CapturedPackets: 565, CapturedBytes: 38_000, KernelPackets: 565, KernelBytes: 38_050, ResidualBytes: 50},
			{Name: "utun4", Unavailable: "the interface went away"},
		}}
	return seal(s)
}

// unchecked counts what the flows say of themselves.
func unchecked(uses []summarize.FlowUse) (list []summarize.Unchecked) {
	for i := range uses {
		if uses[i].Verdict != summarize.VerdictUnavailable {
			continue
		}
		u := summarize.Unchecked{Proto: uses[i].Flow.Key.Proto, Why: uses[i].Unavailable}
		at := slices.IndexFunc(list, func(o summarize.Unchecked) bool { return o.Proto == u.Proto && o.Why == u.Why })
		if at < 0 {
			at, list = len(list), append(list, u)
		}
		list[at].Flows++
	}
	return list
}

// ownersSummary has a flow that two processes moved, and one that is ambiguous, both explained.
func ownersSummary() *summarize.Summary {
	s := loopbackSummary()
	server := pidmap.Process{Key: pidmap.ProcessKey{PID: 100, Start: 5}, StartTime: sampleStart, Name: "server", Path: "/usr/bin/server"}
	child := pidmap.Process{Key: pidmap.ProcessKey{PID: 101, Start: 6}, Name: "child\x1b[2J", Path: "/usr/bin/child\x1b[2J"}
	app := pidmap.App{ID: "server.service", Name: "server", Kind: "unit", Why: []string{"systemd unit"}}
	key := flows.MakeKey(flows.TCP, netip.MustParseAddrPort("192.0.2.2:8443"), netip.MustParseAddrPort("198.51.100.7:51584"))
	at := func(millis int64) int64 { return sampleStart + millis*1_000_000 }
	socket := pidmap.Socket{Key: key, Cookie: 77, Inode: 4242}
	listener := pidmap.Socket{Key: flows.Key{Local: key.Local, Proto: flows.TCP}, Cookie: 76, Listening: true}
	flow := flows.Flow{Key: key, First: at(10), Last: at(900), Counts: counts(9, 8_000, 7, 900), SYNRTT: flows.NoRTT, ACKRTT: flows.NoRTT, Connect: flows.NoRTT}
	shares := []pidmap.Share{{App: app, Process: server, Moved: pidmap.Moved{Tx: 7000, Rx: 300}}, {App: app, Process: child, Moved: pidmap.Moved{Tx: 0, Rx: 200}}}
	s.Owners = []summarize.OwnedFlow{
		{
			Use: summarize.FlowUse{Flow: flow, Owner: pidmap.Attribution{App: app, Process: server, Method: pidmap.MethodEBPF, Shares: shares}},
			Evidence: []pidmap.Evidence{
				{Time: at(5), What: "opened", Socket: listener},
				{Time: at(9), What: "opened", Socket: socket, Since: at(8)},
				{Time: at(9), What: "made", Method: pidmap.MethodEBPFCreator, Process: server, Socket: socket},
				{Time: at(20), What: "held", Method: pidmap.MethodSockDiag, Process: child, Socket: socket},
				{Time: at(21), What: "became", Process: child, Socket: socket},
				{Time: at(899), What: "moved", Method: pidmap.MethodEBPF, Process: server, Moved: pidmap.Moved{Tx: 7000, Rx: 300}, Socket: socket},
				{Time: at(901), What: "closed", Socket: socket},
			},
			Peer: []pidmap.Evidence{{Time: at(1), What: "opened", Socket: pidmap.Socket{Key: key.Reverse(), Foreign: true}}},
		},
		{Use: summarize.FlowUse{Flow: flow, Owner: pidmap.Attribution{Reason: pidmap.ReasonAmbiguous, Candidates: []pidmap.Process{server, child}}}},
	}
	return s
}
