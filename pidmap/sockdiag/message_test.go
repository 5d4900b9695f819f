package sockdiag

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"apptap/flows"
	"apptap/pidmap/nlsocket"
)

// recorded reads testdata/inet_diag.hex.
func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	f, err := os.Open("testdata/inet_diag.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]byte{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if name == "#" || !ok {
			continue
		}
		if all[name], err = hex.DecodeString(text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

func parseRecorded(t *testing.T, name string, proto flows.Protocol) Socket {
	t.Helper()
	b, ok := recorded(t)[name]
	if !ok {
		t.Fatalf("%s is not among the recorded messages", name)
	}
	sockets, done, err := appendDatagram(nil, b, proto, 0)
	if err != nil || done || len(sockets) != 1 {
		t.Fatalf("%s: %d sockets, done %v, error %v; want 1, false, nil", name, len(sockets), done, err)
	}
	return sockets[0]
}

func TestParseRecorded(t *testing.T) {
	ap := netip.MustParseAddrPort
	tests := []struct {
		name  string
		proto flows.Protocol // what the dump asked for; 0 for events, which say it themselves
		want  Socket
		dual  bool
	}{
		{"tcp4_established_info", flows.TCP, Socket{
			Proto: flows.TCP, State: Established, Local: ap("127.0.0.1:20081"), Remote: ap("127.0.0.1:20080"), Cookie: 3,
			Inode: 48826, HasCounters: true, Counters: Counters{Acked: 1001, Received: 300, Sent: 1000},
		}, false},
		{"tcp4_listen_info", flows.TCP, Socket{
			Proto: flows.TCP, State: Listen, Local: ap("127.0.0.1:20080"), Remote: ap("0.0.0.0:0"), Cookie: 1,
			Inode: 47599, HasCounters: true,
		}, false},
		{"tcp6_listen_v6only", flows.TCP, Socket{
			Proto: flows.TCP, IPv6: true, State: Listen, Local: ap("[::]:20082"), Remote: ap("[::]:0"), Cookie: 4,
			Inode: 48829, V6Only: true,
		}, false},
		{"udp6_dual_stack", flows.UDP, Socket{
			Proto: flows.UDP, IPv6: true, State: Close, Local: ap("[::]:20083"), Remote: ap("[::]:0"), Cookie: 5, Inode: 48831,
		}, true},
		{"udp4_connected", flows.UDP, Socket{
			Proto: flows.UDP, State: Established, Local: ap("127.0.0.1:20084"), Remote: ap("127.0.0.1:20085"), Cookie: 6, Inode: 48833,
		}, false},
		{"tcp6_mapped", flows.TCP, Socket{
			Proto: flows.TCP, IPv6: true, State: Established, Cookie: 7, Inode: 48835,
			Local: ap("[::ffff:127.0.0.1]:20086"), Remote: ap("[::ffff:127.0.0.1]:20080"),
		}, false},
		{"destroyed_20081", 0, Socket{
			Proto: flows.TCP, State: Close, Local: ap("127.0.0.1:20081"), Remote: ap("127.0.0.1:20080"), Cookie: 3,
			HasCounters: true, Counters: Counters{Acked: 1002, Received: 301, Sent: 1000},
		}, false},
		{"destroyed_20080", 0, Socket{
			Proto: flows.TCP, State: Close, Local: ap("127.0.0.1:20080"), Remote: ap("127.0.0.1:20081"), Cookie: 2,
			HasCounters: true, Counters: Counters{Acked: 301, Received: 1001, Sent: 300},
		}, false},
		{"destroyed_linger_20086", 0, Socket{
			Proto: flows.TCP, IPv6: true, State: Close, Local: ap("[::]:20086"), Remote: ap("[::ffff:127.0.0.1]:0"), Cookie: 7,
			HasCounters: true,
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := parseRecorded(t, tt.name, tt.proto)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.DualStack() != tt.dual {
				t.Errorf("DualStack = %v, want %v", got.DualStack(), tt.dual)
			}
		})
	}
}

func TestKey(t *testing.T) {
	mapped := parseRecorded(t, "tcp6_mapped", flows.TCP)
	if got, want := mapped.Key().String(), "tcp 127.0.0.1:20086 -> 127.0.0.1:20080"; got != want {
		t.Errorf("mapped key = %s, want %s", got, want)
	}
	for name, ipv6 := range map[string]bool{"tcp4_listen_info": false, "tcp6_listen_v6only": true} {
		s := parseRecorded(t, name, flows.TCP)
		key := s.Key()
		if key.Remote != (flows.Endpoint{}) || key.IPv6 != ipv6 {
			t.Errorf("%s: remote %v, IPv6 %v; want none, %v", name, key.Remote, key.IPv6, ipv6)
		}
	}
}

// Kernels before 4.19 end struct tcp_info before bytes_sent, those before 4.1 before bytes_acked.
func TestShortCounters(t *testing.T) {
	b := recorded(t)["tcp4_established_info"]
	at := bytes.Index(b, []byte{0x1c, 0x01, 0x02, 0x00}) // nlattr of 284 bytes, INET_DIAG_INFO
	if at < 0 {
		t.Fatal("no INET_DIAG_INFO in the recorded message")
	}
	info := b[at+4 : at+284]
	tests := []struct {
		name string
		size int
		want Counters
	}{
		{"6.18", 280, Counters{Acked: 1001, Received: 300, Sent: 1000}},
		{"4.19", 216, Counters{Acked: 1001, Received: 300, Sent: 1000}},
		{"4.18", 200, Counters{Acked: 1001, Received: 300, Incomplete: true}},
		{"4.0", 104, Counters{Incomplete: true}},
		{"none", 0, Counters{Incomplete: true}},
	}
	for _, tt := range tests {
		if got := parseCounters(info[:tt.size]); got != tt.want {
			t.Errorf("%s, %d bytes: %+v, want %+v", tt.name, tt.size, got, tt.want)
		}
	}
}

func TestDatagramEnds(t *testing.T) {
	message := func(kind byte, sequence byte, payload ...byte) []byte {
		b := []byte{byte(nlsocket.HeaderLen + len(payload)), 0, 0, 0, kind, 0, 2, 0, sequence, 0, 0, 0, 0, 0, 0, 0}
		return append(b, payload...)
	}
	tests := []struct {
		name string
		in   []byte
		done bool
		err  error
	}{
		{"done", message(nlsocket.KindDone, 7, 0, 0, 0, 0), true, nil},
		{"done of another request", message(nlsocket.KindDone, 6, 0, 0, 0, 0), false, nil},
		{"refused", message(nlsocket.KindError, 7, 0xfe, 0xff, 0xff, 0xff), true, syscall.ENOENT},
		{"longer than the datagram", message(typeDiag, 7)[:8], false, nil},
		{"length runs out", append([]byte{200}, message(typeDiag, 7)[1:]...), false, nlsocket.ErrMessage},
		{"short socket", message(typeDiag, 7, 2, 1, 0, 0), false, nlsocket.ErrMessage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, done, err := appendDatagram(nil, tt.in, flows.TCP, 7)
			if done != tt.done || !errors.Is(err, tt.err) {
				t.Errorf("done %v, error %v; want %v, %v", done, err, tt.done, tt.err)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	got := Request{Proto: flows.TCP, IPv6: true, States: 1 << Established, Counters: true}.appendTo(nil)
	want := append([]byte{10, 6, 2, 0, 2, 0, 0, 0}, make([]byte, 48)...)
	if !bytes.Equal(got, want) {
		t.Errorf("request = %x, want %x", got, want)
	}
}

// What is parsed never depends on more bytes than there are, and cutting a datagram never yields more sockets.
func FuzzDatagram(f *testing.F) {
	for _, b := range recorded(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, _, err := appendDatagram(nil, b, flows.UDP, 0)
		if len(whole)*(nlsocket.HeaderLen+messageLen) > len(b) {
			t.Fatalf("%d sockets from %d bytes", len(whole), len(b))
		}
		if err != nil && !errors.Is(err, nlsocket.ErrMessage) {
			var errno syscall.Errno
			if !errors.As(err, &errno) {
				t.Fatalf("error of neither the codec nor the kernel: %v", err)
			}
		}
		cut, _, _ := appendDatagram(nil, b[:len(b)/2], flows.UDP, 0)
		if len(cut) > len(whole) {
			t.Fatalf("half of the datagram has %d sockets, all of it %d", len(cut), len(whole))
		}
		for i := range whole {
			whole[i].Key()
		}
	})
}
