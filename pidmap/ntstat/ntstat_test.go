package ntstat

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/flows"
)

// recorded is a message of a real kernel; testdata/README says where it is from.
func recorded(t testing.TB, name string) Message {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return single(t, b)
}

func single(t testing.TB, b []byte) (one Message) {
	t.Helper()
	n := 0
	for m, err := range Messages(b) {
		if err != nil {
			t.Fatal(err)
		}
		one, n = m, n+1
	}
	if n != 1 {
		t.Fatalf("%d messages in %d bytes, want 1", n, len(b))
	}
	return one
}

func TestDecodeRecordedDescriptor(t *testing.T) {
	got, err := Decode(recorded(t, "src_desc_tcp_macos27_arm64.hex"))
	if err != nil {
		t.Fatal(err)
	}
	want := Flow{
		Ref: 1, Provider: TCPKernel, UniqueID: 0x81ae7a, PID: 28329, Effective: 0, Name: "curl", Interface: 14, State: 4, Age: 28434273,
		Key: flows.MakeKey(flows.TCP, netip.MustParseAddrPort("10.9.8.151:62856"), netip.MustParseAddrPort("104.20.23.154:80")),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flow (-want +got):\n%s", diff)
	}
}

func TestDecodeRecordedCounters(t *testing.T) {
	m := recorded(t, "src_counts_macos27_arm64.hex")
	got, err := DecodeCounters(m)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{RxPackets: 5, RxBytes: 1547, TxPackets: 5, TxBytes: 1272, RxDuplicate: 531, TxRetransmitted: 261}); got != want || m.Ref() != 0x6f {
		t.Errorf("got %+v of flow %d, want %+v of flow 111", got, m.Ref(), want)
	}
}

// TestDecodeSizes decodes synthesised updates of every descriptor size that there is.
func TestDecodeSizes(t *testing.T) {
	tests := []struct {
		name     string
		provider Provider
		size     int
		ok       bool
	}{
		{"tcp macOS 10.15", TCPKernel, 304, false},
		{"tcp macOS 11", TCPKernel, 336, true},
		{"tcp macOS 14", TCPKernel, 344, true},
		{"tcp macOS 27", TCPUser, 360, true},
		{"tcp of later", TCPKernel, 400, true},
		{"quic", QUICUser, 344, true},
		{"udp macOS 10.15", UDPKernel, 256, false},
		{"udp macOS 11", UDPKernel, 272, true},
		{"udp macOS 14", UDPUser, 280, true},
		{"udp of later", UDPKernel, 296, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := sample(test.provider)
			got, err := Decode(single(t, AppendUpdate(nil, want, test.size, 0)))
			if !test.ok {
				if !errors.Is(err, ErrLayout) {
					t.Fatalf("got %+v, %v; want an error that wraps %v", got, err, ErrLayout)
				}
				return
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v; flow (-want +got):\n%s", err, diff)
			}
		})
	}
}

func sample(p Provider) Flow {
	f := Flow{
		Ref: 77, Provider: p, UniqueID: 4242, PID: 501, Effective: 600, Name: "Safari Networking", Interface: 14, HasCounts: true, Age: 24_000_000,
		Counts: Counts{RxPackets: 3, RxBytes: 3000, TxPackets: 2, TxBytes: 200, RxDuplicate: 5, TxRetransmitted: 7},
	}
	proto := flows.TCP
	if p.datagrams() || p == QUICUser {
		proto = flows.UDP
	}
	if p == TCPKernel || p == TCPUser {
		f.State = 4
	}
	if !p.userSpace() {
		f.EffectiveID = 4343
	}
	f.Key = flows.MakeKey(proto, netip.MustParseAddrPort("[2001:db8::1]:50000"), netip.MustParseAddrPort("[2001:db8::2]:443"))
	return f
}

// TestDrift changes single fields to what cannot be.
func TestDrift(t *testing.T) {
	const at = updateKindAt + providerSize
	tests := []struct {
		name     string
		provider Provider
		change   func(b []byte)
	}{
		{"pid", TCPKernel, func(b []byte) {
			binary.LittleEndian.PutUint32(b[at+116:], 0x1002)
			binary.LittleEndian.PutUint32(b[at+120:], 1<<30)
		}},
		{"negative pid", UDPKernel, func(b []byte) { binary.LittleEndian.PutUint32(b[at+128:], 1<<31) }},
		{"state", TCPKernel, func(b []byte) { b[at+76] = 11 }},
		{"interface", UDPKernel, func(b []byte) { b[at+114] = 1 }},
		{"family", TCPKernel, func(b []byte) { b[at+125] = 17 }},
		{"length of address", UDPKernel, func(b []byte) { b[at+56] = 99 }},
		{"address without family", UDPKernel, func(b []byte) { b[at+84], b[at+85] = 0, 0 }},
		{"name without end", TCPKernel, func(b []byte) {
			for i := range nameSize {
				b[at+196+i] = 'x'
			}
		}},
		{"provider", TCPKernel, func(b []byte) { b[updateKindAt] = 7 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := AppendUpdate(nil, sample(test.provider), 344, 0)
			test.change(b)
			if got, err := Decode(single(t, b)); !errors.Is(err, ErrLayout) {
				t.Errorf("got %+v, %v; want an error that wraps %v", got, err, ErrLayout)
			}
		})
	}
}

// TestAge: a flow whose beginning the kernel has not noted, or that it notes for later than now, has no age.
func TestAge(t *testing.T) {
	const at = updateKindAt + providerSize
	for name, tt := range map[string]struct{ began, told, want uint64 }{
		"told of later":     {1000, 1700, 700},
		"told of at once":   {1000, 1000, 0},
		"no beginning":      {0, 1700, 0},
		"beginning to come": {1700, 1000, 0},
	} {
		b := AppendUpdate(nil, sample(TCPKernel), 344, 0)
		binary.LittleEndian.PutUint64(b[at+beganAt:], tt.began)
		binary.LittleEndian.PutUint64(b[at+toldAt:], tt.told)
		if got, err := Decode(single(t, b)); err != nil || got.Age != tt.want {
			t.Errorf("%s: got %d, %v; want %d", name, got.Age, err, tt.want)
		}
	}
}

// TestUserSpace: what a process wrote of its own flow, and cannot be, is left out and ends nothing; what the kernel filled in still tells of
// another layout.
func TestUserSpace(t *testing.T) {
	const at = updateKindAt + providerSize
	put := binary.LittleEndian.PutUint32
	tests := []struct {
		name   string
		from   Provider
		change func(b []byte)
		want   func(f *Flow)
	}{
		{"state of QUIC", QUICUser, func(b []byte) { put(b[at+76:], 4711) }, func(*Flow) {}},
		{"state of TCP", TCPUser, func(b []byte) { put(b[at+76:], 4711) }, func(f *Flow) { f.State = 0 }},
		{"effective process", TCPUser, func(b []byte) { put(b[at+120:], 1<<30) }, func(f *Flow) { f.Effective = 0 }},
		{"negative effective process", UDPUser, func(b []byte) { put(b[at+196:], 0xffffff00) }, func(f *Flow) { f.Effective = 0 }},
		{"local address", QUICUser, func(b []byte) { b[at+125] = 17 }, func(f *Flow) { f.Key = flows.Key{} }},
		{"remote address", UDPUser, func(b []byte) { b[at+84], b[at+85] = 0, 0 }, func(f *Flow) { f.Key = flows.Key{} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := sample(test.from)
			b := AppendUpdate(nil, want, 344, 0)
			test.change(b)
			test.want(&want)
			got, err := Decode(single(t, b))
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v; flow (-want +got):\n%s", err, diff)
			}
			put(b[at+116:], 1<<20)
			put(b[at+128:], 1<<20)
			if got, err := Decode(single(t, b)); !errors.Is(err, ErrLayout) {
				t.Errorf("with a process number that cannot be: got %+v, %v; want an error that wraps %v", got, err, ErrLayout)
			}
		})
	}
}

func TestUnconnected(t *testing.T) {
	f := sample(UDPKernel)
	f.Key.Remote = flows.Endpoint{}
	got, err := Decode(single(t, AppendUpdate(nil, f, 272, 0)))
	if diff := cmp.Diff(f, got); err != nil || diff != "" {
		t.Errorf("%v; flow (-want +got):\n%s", err, diff)
	}
	f.Key = flows.Key{}
	if got, err = Decode(single(t, AppendUpdate(nil, f, 272, 0))); err != nil || got.Key != (flows.Key{}) {
		t.Errorf("got %v, %v; want the zero key of a socket that is not bound yet", got.Key, err)
	}
}

func TestMessagesBackToBack(t *testing.T) {
	b := AppendUpdate(nil, sample(TCPKernel), 339, Closing) // not a multiple of 8: padded
	b = AppendRemoved(b, 77, ClosedAfterDrop)
	var kinds []Kind
	var flags []Flags
	for m, err := range Messages(b) {
		if err != nil {
			t.Fatal(err)
		}
		kinds, flags = append(kinds, m.Kind), append(flags, m.Flags)
	}
	if !cmp.Equal(kinds, []Kind{Update, Removed}) || !cmp.Equal(flags, []Flags{Closing, ClosedAfterDrop}) {
		t.Errorf("got kinds %v with flags %v, want an update and a removal", kinds, flags)
	}
}

func TestRequests(t *testing.T) {
	add := AddAllRequest(5, UDPKernel)
	if got := binary.LittleEndian.Uint32(add[32:]); len(add) != 56 || got != 4 {
		t.Errorf("add all: %d bytes with provider %d, want 56 with 4", len(add), got)
	}
	update := single(t, UpdateRequest(9))
	if update.Ref() != ^uint64(0) || update.Context != 9 || len(update.Body) != 24 || update.Flags != Continuation {
		t.Errorf("update: got %+v, want all flows in parts, asked for in 24 bytes", update)
	}
}

// FuzzMessages: messages lie within the datagram in order, and a flow that is decoded is plausible.
func FuzzMessages(f *testing.F) {
	f.Add(recorded(f, "src_desc_tcp_macos27_arm64.hex").Body)
	f.Add(recorded(f, "src_counts_macos27_arm64.hex").Body)
	f.Add(AppendRemoved(AppendUpdate(nil, sample(UDPUser), 280, 0), 1, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		for m, err := range Messages(b) {
			if err != nil {
				if !errors.Is(err, ErrLayout) {
					t.Fatalf("error %v does not wrap ErrLayout", err)
				}
				break
			}
			if total += len(m.Body); len(m.Body) < headerSize || total > len(b) {
				t.Fatalf("messages of %d bytes in a datagram of %d", total, len(b))
			}
			m.Errno()
			DecodeCounters(m)
			flow, err := Decode(m)
			if err == nil && (flow.PID < 0 || flow.PID > maxPID || flow.Effective < 0 || len(flow.Name) >= nameSize) {
				t.Fatalf("implausible flow %+v", flow)
			}
		}
	})
}
