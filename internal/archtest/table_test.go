package archtest

// arrows lists, for each room, the rooms it may import. A room that is not here may not exist: a new
// one comes with its line. Standard library packages are free, but see bans.
var arrows = map[string][]string{
	"capture":      {},
	"capture/live": {"capture"},
	"flows":        {"capture", "flows/names"},
	"flows/names":  {},

	// One parser of INET_DIAG messages for owners (pidmap) and counters (summarize/kernel).
	"pidmap/sockdiag": {"flows", "pidmap/nlsocket"},
	"pidmap/bpf":      {},
	// Which flows the kernel translates, as bytes of any system.
	"pidmap/conntrack": {"flows", "pidmap/nlsocket"},
	"pidmap/nlsocket":  {},
	// What macOS tells, as bytes; ntstat has owners and counters in one message, so both rooms read it.
	"pidmap/bundle":  {},
	"pidmap/libproc": {"flows"},
	"pidmap/ntstat":  {"flows"},
	"pidmap/nettop":  {"flows"},
	"pidmap":         {"flows", "pidmap/bpf", "pidmap/bundle", "pidmap/conntrack", "pidmap/libproc", "pidmap/nettop", "pidmap/ntstat", "pidmap/sockdiag"},

	"summarize":        {"flows", "pidmap"},
	"summarize/kernel": {"summarize", "flows", "pidmap/sockdiag", "pidmap/nlsocket"},
	"summarize/report": {"summarize", "flows", "pidmap"},

	"internal/pipeline":  {"capture", "flows", "pidmap", "summarize"},
	"internal/session":   {"capture", "flows", "pidmap", "summarize", "internal/jsonwords"},
	"internal/anonymize": {"capture", "flows", "pidmap", "summarize"},
	"internal/tui":       {"summarize", "flows", "pidmap"},
	"internal/web":       {"summarize", "flows", "pidmap"},
	"internal/history":   {"summarize", "flows", "pidmap"},
	"internal/places":    {},
	"internal/rights":    {},
	"internal/usage":     {"flows", "internal/jsonwords"},
	"internal/jsonwords": {},
	"internal/archtest":  {},

	"cmd/apptap": {
		"capture", "capture/live", "flows", "pidmap", "summarize", "summarize/kernel", "summarize/report",
		"internal/pipeline", "internal/session", "internal/anonymize", "internal/tui", "internal/web", "internal/history", "internal/places", "internal/rights", "internal/usage",
	},

	"fixtures":        {"capture"},
	"fixtures/netns":  {},
	"fixtures/mac":    {"flows", "pidmap/ntstat"}, // answers in the bytes that macOS does
	"fixtures/client": {},                         // a client that lives a millisecond
	"fixtures/storm":  {},                         // starts a thousand of them
	"fixtures/talk":   {},                         // its truth must not come from the code it checks
	"fixtures/demo":   {"fixtures"},
	"fixtures/bulk":   {"capture"}, // its test reads what it wrote
	"fixtures/race":   {},
	"fixtures/ends":   {},
	"fixtures/blast":  {"fixtures/ends"},
	"fixtures/soak":   {"fixtures/ends"},
	"fixtures/attach": {"fixtures/ends", "fixtures/storm"},
}

// testArrows may be imported by the tests of every room, on top of the room's own arrows.
var testArrows = []string{"fixtures", "fixtures/mac", "fixtures/netns", "fixtures/storm"}

// leash says where a third-party package (and what is below it) may be imported. The longest matching
// path decides, so gopacket/pcap has a rule of its own.
type leash struct {
	path  string
	rooms []string // their tests included
	tests bool     // any test may import it
	byOS  bool     // only files with an operating system in their name, and tests
	why   string
}

var leashes = []leash{
	{path: "github.com/google/gopacket", rooms: []string{"flows", "fixtures"}, tests: true,
		why: "decoding is what flows does; elsewhere packets are opaque bytes"},
	{path: "github.com/google/gopacket/pcap", rooms: []string{"capture/live", "fixtures/blast"},
		why: "cgo: one room needs libpcap, all others build without a C compiler"},
	{path: "github.com/olekukonko/tablewriter", rooms: []string{"summarize/report"},
		why: "what a Summary looks like is the report's alone"},
	{path: "github.com/cilium/ebpf", rooms: []string{"pidmap", "pidmap/bpf", "pidmap/sockdiag", "summarize/kernel", "fixtures/netns"},
		why: "the kernel is asked where owners and counters are"},
	{path: "github.com/mdlayher/netlink", rooms: []string{"pidmap", "pidmap/conntrack", "pidmap/nlsocket", "pidmap/sockdiag"},
		why: "the kernel is asked where owners and counters are"},
	{path: "github.com/shirou/gopsutil/v3", rooms: []string{"pidmap", "summarize/kernel"},
		why: "a portable fallback for what these two read from the system"},
	{path: "howett.net/plist", tests: true, why: "writes the binary property lists that tests read; its parser reads beyond the buffer on hostile ones (pidmap/bundle/texts.go)"},
	{path: "github.com/spf13/cobra", rooms: []string{"cmd/apptap"}, why: "flags are read in cmd"},
	{path: "github.com/spf13/pflag", rooms: []string{"cmd/apptap"}, why: "flags are read in cmd"},
	{path: "golang.org/x/term", rooms: []string{"cmd/apptap"}, why: "only cmd knows that there is a terminal"},
	{path: "github.com/ncruces/go-strftime", rooms: []string{"cmd/apptap"}, why: "-G names files by their time, in strftime's words"},
	{path: "github.com/klauspost/compress", rooms: []string{"capture"}, why: "capture files may be zstd"},
	{path: "golang.org/x/net/route", byOS: true, rooms: []string{"capture/live"},
		why: "the default route of a Mac is a routing message"},
	{path: "golang.org/x/net/bpf", rooms: []string{"capture/live"}, why: "filters are set where packets are captured"},
	{path: "golang.org/x/net/idna", rooms: []string{"flows/names"}, why: "names are read where they are seen"},
	{path: "golang.org/x/net/publicsuffix", rooms: []string{"flows/names"}, why: "the registrable part of a name"},
	{path: "github.com/oschwald/maxminddb-golang/v2", rooms: []string{"internal/places"}, why: "networks and countries of addresses"},
	{path: "golang.org/x/net/http2/hpack", rooms: []string{"flows/names"}, why: "header compression of HTTP/2 (RFC 7541)"},
	{path: "golang.org/x/sys/unix", byOS: true,
		rooms: []string{"capture/live", "pidmap", "pidmap/bpf", "pidmap/nlsocket", "pidmap/conntrack", "pidmap/sockdiag", "summarize/kernel", "fixtures/netns", "fixtures/demo", "fixtures/blast", "fixtures/attach"},
		why:   "system calls live in files that name their system"},
	{path: "kernel.org/pub/linux/libs/security/libcap/psx", byOS: true, rooms: []string{"internal/rights"},
		why: "rights are a thread's own, and C makes threads that Go knows nothing of"},
	{path: "github.com/quic-go/quic-go", tests: true, why: "HTTP/3 to record: no other program of this repository speaks it"},
	{path: "golang.zx2c4.com/wireguard", tests: true, why: "WireGuard in user space, for kernels that have none: a tunnel to capture"},
	{path: "github.com/google/go-cmp", tests: true, why: "differences are for tests"},
	{path: "github.com/rogpeppe/go-internal", tests: true, why: "scripts of the command line are tests"},
}

// execFiles may start other programs. The product starts none, what it wants to know it asks the kernel, but for one file: doctor
// holds what the kernel says against a program of Apple's.
var execFiles = map[string]string{
	"pidmap/nettop/run_darwin.go":      "apptap doctor compares nettop with the kernel's own word, once",
	"fixtures/race/contestants.go":     "times programs beside each other",
	"fixtures/race/main.go":            "builds what it times",
	"fixtures/blast/contest_linux.go":  "runs what it measures",
	"fixtures/soak/run_linux.go":       "runs what it watches",
	"fixtures/storm/storm.go":          "builds and runs the programs of the storm",
	"fixtures/demo/programs.go":        "runs apptap beside programs of known traffic",
	"fixtures/netns/netns_linux.go":    "ip(8) makes the namespaces of the integration tests",
	"fixtures/attach/contest_linux.go": "runs what it measures",
	"fixtures/attach/run_linux.go":     "ethtool(8) cuts its frames",
	"fixtures/ends/ends_linux.go":      "runs benchmarks and their servers in namespaces, which ip(8) joins",
}

// goRooms may start goroutines.
var goRooms = map[string]string{
	"internal/pipeline": "owns the concurrency of a run",
	"fixtures/soak":     "a server and its many clients",
	"fixtures/attach":   "reads what the measured program says while a load runs",
	"fixtures/storm":    "a server and its many clients",
	"fixtures/talk":     "a server with several sockets, no part of apptap",
}

// junkNames say nothing about what a package answers.
var junkNames = []string{"utils", "util", "common", "types", "helpers", "helper", "pkg", "scripts", "misc", "shared"}
