package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
	"apptap/internal/anonymize"
	"apptap/internal/session"
	"apptap/pidmap"
	"apptap/summarize"
)

// keyFile writes a key that is the same in every run: by a random one an address may, once in a long time, become itself.
func keyFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(strings.Repeat("5e1f7a30", 8)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// traces are the addresses of a capture.
type traces struct {
	addrs map[netip.Addr]bool
	macs  map[[6]byte]bool
}

func tracesOf(t *testing.T, file string) traces {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	source, err := capture.NewReader(f, file)
	if err != nil {
		t.Fatal(err)
	}
	s := session.NewSource(source, file)
	said := session.NewReplay([]*session.Source{s})
	found := traces{map[netip.Addr]bool{}, map[[6]byte]bool{}}
	var p capture.Packet
	var headers flows.Headers
	var o flows.Observation
	for s.Next(&p) == nil {
		flows.Inner.Headers(&p, &o, &headers)
		for _, h := range headers.List {
			found.add(h.Kind, p.Data[h.At:h.At+h.Length])
		}
		for _, e := range said.Events() {
			found.addr(e.Socket.Key.LocalAddr().Addr())
			found.addr(e.Socket.Key.RemoteAddr().Addr())
		}
	}
	local, _ := said.Local()
	for _, l := range local {
		found.addr(l.Addr())
	}
	return found
}

func (f traces) addr(a netip.Addr) {
	if a.IsValid() && !anonymize.IsKept(a) {
		f.addrs[a.Unmap()] = true
	}
}

func (f traces) add(kind flows.HeaderKind, h []byte) {
	switch {
	case kind == flows.HeaderEthernet && len(h) >= 12:
		f.mac([6]byte(h))
		f.mac([6]byte(h[6:]))
	case kind == flows.HeaderIPv4 && len(h) >= 20:
		f.addr(netip.AddrFrom4([4]byte(h[12:])))
		f.addr(netip.AddrFrom4([4]byte(h[16:])))
	case kind == flows.HeaderIPv6 && len(h) >= 40:
		f.addr(netip.AddrFrom16([16]byte(h[8:])))
		f.addr(netip.AddrFrom16([16]byte(h[24:])))
	}
}

func (f traces) mac(m [6]byte) {
	if m[0]&1 == 0 && m != [6]byte{} {
		f.macs[m] = true
	}
}

// alone finds word where it is no part of a longer number or address: 10.0.0.1 is part of 10.0.0.12.
func alone(text []byte, word string) iter.Seq[int] {
	part := func(c byte) bool {
		return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	}
	return func(yield func(int) bool) {
		for from := 0; ; {
			at := bytes.Index(text[from:], []byte(word))
			if at < 0 {
				return
			}
			at += from
			from = at + 1
			end := at + len(word)
			if (at == 0 || !part(text[at-1])) && (end == len(text) || !part(text[end])) && !yield(at) {
				return
			}
		}
	}
}

// in looks for the addresses in every form: bytes of either order, text, hexadecimal.
func (f traces) in(t *testing.T, what string, text []byte) {
	t.Helper()
	lower := bytes.ToLower(text)
	look := func(form []byte, of any) {
		at := bytes.Index(lower, bytes.ToLower(form))
		if at < 0 {
			at = bytes.Index(text, form)
		}
		if at >= 0 {
			t.Errorf("%s has %v, as %q in %q", what, of, form, text[max(at-60, 0):min(at+60, len(text))])
		}
	}
	for a := range f.addrs {
		raw := a.AsSlice()
		look(raw, a)
		look([]byte(hex.EncodeToString(raw)), a)
		if a.Is6() {
			look([]byte(a.StringExpanded()), a)
		}
		if a.Is4() {
			look(binary.LittleEndian.AppendUint32(nil, binary.BigEndian.Uint32(raw)), a)
		}
		for at := range alone(text, a.String()) {
			t.Errorf("%s has %v in %q", what, a, text[max(at-60, 0):min(at+60, len(text))])
		}
	}
	for m := range f.macs {
		if !bytes.Contains(m[:], make([]byte, 4)) { // such a one stands anywhere
			look(m[:], net.HardwareAddr(m[:]))
		}
		look([]byte(net.HardwareAddr(m[:]).String()), m)
		look([]byte(hex.EncodeToString(m[:])), m)
	}
}

func sums(t *testing.T, file string, flags ...string) string {
	t.Helper()
	return sumsOf(t, []byte(replay(t, append([]string{"--format", "json", file}, flags...)...)))
}

// sumsOf are the sums of a report, and those of each app: what stays when addresses and names go.
func sumsOf(t *testing.T, reported []byte) string {
	t.Helper()
	var report struct {
		Window       map[string]any
		Totals       map[string]uint64
		Undecoded    map[string]any
		Unattributed struct{ Reasons map[string]uint64 }
		Drops        map[string]any
		Audit        struct {
			Verdict    string
			Flows      map[string]uint64
			Explained  map[string]uint64
			Interfaces []map[string]any
		}
		Apps []struct {
			App                struct{ ID, Name, Kind string }
			Methods            map[string]uint64
			TxBytes            uint64 `json:"tx_bytes"`
			RxBytes            uint64 `json:"rx_bytes"`
			TxPayload, Packets uint64
			Kernel             map[string]any
		}
	}
	if err := json.Unmarshal(reported, &report); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAnonymize anonymizes recorded captures: no address of theirs is left in any form, and every sum stays.
func TestAnonymize(t *testing.T) {
	key := keyFile(t)
	for _, name := range []string{"demo.pcapng", "namespaces.pcapng", "encapsulations.pcapng", "times.pcap"} {
		t.Run(name, func(t *testing.T) {
			file := fixtures.Path(t, name)
			out := exported(t, "--anonymize", "--anonymize-key", key, file)
			text, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			again, err := os.ReadFile(exported(t, "--anonymize", "--anonymize-key", key, file))
			if err != nil || !bytes.Equal(text, again) {
				t.Errorf("the same key gave another file: %v", err)
			}
			found := tracesOf(t, file)
			if name != "demo.pcapng" && len(found.addrs) < 2 {
				t.Errorf("%d addresses, %d link-layer addresses: there is little to look for", len(found.addrs), len(found.macs))
			}
			found.in(t, "the file", text)
			for _, tunnels := range []string{"outer", "inner"} {
				if diff := cmp.Diff(sums(t, file, "--tunnels", tunnels), sums(t, out, "--tunnels", tunnels)); diff != "" {
					t.Errorf("%s (-original +anonymized):\n%s", tunnels, diff)
				}
			}
		})
	}
}

// TestAnonymizeWhole anonymizes a session made for it, in which an address or a name stands wherever one may.
func TestAnonymizeWhole(t *testing.T) {
	const secret = "very-private.example"
	local, remote := netip.MustParseAddrPort("198.51.100.77:50000"), netip.MustParseAddrPort("203.0.113.99:53")
	local6, remote6 := netip.MustParseAddrPort("[2001:db8:aa:bb::77]:50000"), netip.MustParseAddrPort("[2001:db8:cc:dd::99]:443")
	mac := [6]byte{0x00, 0x1b, 0x21, 0xde, 0xad, 0x77}
	payload := append([]byte(secret), remote.Addr().AsSlice()...)
	withMAC := func(frame []byte) []byte { copy(frame[6:], mac[:]); return frame }
	quoted := fixtures.UDP(local, remote, payload)[14:]
	icmp := append(append([]byte{0x45, 0, 0, byte(28 + len(quoted)), 0, 0, 0, 0, 64, 1, 0, 0}, remote.Addr().AsSlice()...), local.Addr().AsSlice()...)
	icmp = append(append(icmp, 3, 3, 0, 0, 0, 0, 0, 0), quoted...)
	redirect := append(append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0}, remote.Addr().AsSlice()...), local.Addr().AsSlice()...)
	redirect = append(append(redirect, 5, 1, 0, 0), local.Addr().AsSlice()...)
	arp := append(append(append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, mac[:]...), local.Addr().AsSlice()...), append(mac[:], remote.Addr().AsSlice()...)...)
	mptcp := append([]byte{30, 8, 0x30, 0}, remote.Addr().AsSlice()...)
	solicit := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, remote6.Addr().AsSlice()...)
	nd := append(append([]byte{0x60, 0, 0, 0, 0, byte(len(solicit)), 58, 255}, local6.Addr().AsSlice()...), netip.MustParseAddr("ff02::1:ff00:99").AsSlice()...)
	frames := [][]byte{
		withMAC(fixtures.UDP(local, remote, payload)),
		withMAC(fixtures.TCP(local6, remote6, "PA", 1, 1, payload)),
		withMAC(fixtures.TCP(local, remote, "SA", 1, 1, nil, fixtures.TCPOptions(mptcp))),
		withMAC(fixtures.UDP(local, remote, payload, fixtures.IPv4Options(append([]byte{7, 7, 4}, append(remote.Addr().AsSlice(), 0)...)))),
		withMAC(fixtures.UDP(local6, remote6, payload, fixtures.Routing())),
		withMAC(append(make([]byte, 12), append([]byte{8, 0}, icmp...)...)),
		withMAC(append(make([]byte, 12), append([]byte{8, 0}, redirect...)...)),
		withMAC(append(make([]byte, 12), append([]byte{8, 6}, arp...)...)),
		withMAC(append(make([]byte, 12), append([]byte{0x86, 0xdd}, append(nd, solicit...)...)...)),
		withMAC(append(make([]byte, 12), append([]byte{0x88, 0xcc}, payload...)...)),
	}
	file := filepath.Join(t.TempDir(), "s.pcapng")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := session.NewWriter(out, capture.WriterOptions{Filter: "host 198.51.100.77", Interfaces: []capture.Interface{{
		Name: "enx001b21dead77", Description: secret, LinkType: capture.LinkTypeEthernet, Addrs: []netip.Prefix{netip.PrefixFrom(local6.Addr(), 64)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	process := pidmap.Process{
		Key: pidmap.ProcessKey{PID: 7, Start: 8}, Name: "curl", Path: "/home/" + secret + "/curl", User: secret,
		Cmdline: []string{"curl", "http://203.0.113.99/", secret}, Ancestors: []pidmap.Ancestor{{Path: "/home/" + secret + "/sh", Cmdline: []string{secret}}},
	}
	socket := pidmap.Socket{Key: flows.Key{Local: socketEnd(local), Remote: socketEnd(remote), Proto: flows.UDP}, Cookie: 1}
	in := summarize.Input{
		Window: summarize.Window{Start: 1e18, End: 2e18}, Filter: "host 198.51.100.77",
		Degraded:   []string{"203.0.113.99 did not answer, nor did 2001:db8:cc:dd::99 (00:1b:21:de:ad:77)"},
		Interfaces: []summarize.InterfaceInput{{Name: "enx001b21dead77", Filter: "host 198.51.100.77"}},
	}
	in.Source.Local = []netip.Prefix{netip.PrefixFrom(local.Addr(), 32), netip.PrefixFrom(local6.Addr(), 128)}
	in.Source.LocalFrom = "interface"
	err = errors.Join(w.WriteState(&in, false), w.WriteEvents([]pidmap.Event{{Kind: pidmap.SocketSeen, Time: 1e18, Socket: socket, Holders: []pidmap.Process{process}, Method: pidmap.MethodSockDiag}}))
	for i, frame := range frames {
		err = errors.Join(err, w.WritePacket(&capture.Packet{Time: 1e18 + int64(i), Data: frame, Length: len(frame), LinkType: capture.LinkTypeEthernet}))
	}
	err = errors.Join(err, w.WriteCounters([]summarize.SocketCounters{{Key: socket.Key, Time: 1e18}}), w.WriteNames([]capture.Name{{Addr: remote.Addr(), Names: []string{secret}}}),
		w.WriteState(&in, true), w.Close(), out.Close())
	if err != nil {
		t.Fatal(err)
	}
	found := traces{map[netip.Addr]bool{}, map[[6]byte]bool{mac: true}}
	for _, a := range []netip.AddrPort{local, remote, local6, remote6} {
		found.addr(a.Addr())
	}
	for _, flags := range [][]string{nil, {"--headers"}, {"--app", "curl"}} {
		for _, copied := range []string{exported(t, append(flags, "--anonymize", "--anonymize-key", keyFile(t), file)...), exported(t, append(flags, "--anonymize", file)...)} {
			text, err := os.ReadFile(copied)
			if err != nil {
				t.Fatal(err)
			}
			found.in(t, "the file", text)
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%v: %q is in the file", flags, secret)
			}
			if !strings.Contains(replay(t, "--format", "json", copied), `"/home/user/curl"`) {
				t.Errorf("%v: the report does not name the app", flags)
			}
		}
	}
}

func socketEnd(a netip.AddrPort) flows.Endpoint {
	return flows.Endpoint{Addr: a.Addr().As16(), Port: a.Port()}
}
