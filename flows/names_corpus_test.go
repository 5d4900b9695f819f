package flows_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"apptap/capture"
	"apptap/flows"
	"apptap/flows/names"
)

// score counts what the oracle has of a kind, and what of it was found.
type score struct{ found, of int }

// TestNamesCorpus compares the names seen on the wire with tshark's, flow by flow, and prints the score of each kind.
func TestNamesCorpus(t *testing.T) {
	scores := map[string]*score{}
	eachOracle(t, func(name, file string, tunnels flows.Tunnels, lines map[string]oracleLine) {
		compareNames(t, name, sniffFile(t, file, tunnels), lines, scores)
	})
	for kind, s := range scores {
		t.Logf("%s: %d of %d", kind, s.found, s.of)
	}
}

func compareNames(t *testing.T, file string, got map[string][]names.Seen, lines map[string]oracleLine, scores map[string]*score) {
	t.Helper()
	kinds := map[string]names.Origin{
		"tls_sni": names.TLSServerName, "quic_sni": names.QUICServerName, "dtls_sni": names.DTLSServerName,
		"http_host": names.HTTPHost, "h2_authority": names.HTTP2Authority,
	}
	for key, line := range lines {
		compareHello(t, file+": "+key, got[key], line, scores)
		for kind, origin := range kinds {
			var want []string
			if json.Unmarshal(line.Raw[kind], &want) != nil {
				continue
			}
			if scores[kind] == nil {
				scores[kind] = &score{}
			}
			for _, w := range want {
				scores[kind].of++
				if has(got[key], w, origin) {
					scores[kind].found++
					continue
				}
				t.Errorf("%s: %s: %s %q is missing; got %v", file, key, kind, w, got[key])
			}
		}
	}
}

// has says whether the name is among those found; the oracle has a port as part of a host.
func has(found []names.Seen, want string, origin names.Origin) bool {
	clean := names.Clean([]byte(want))
	return slices.ContainsFunc(found, func(s names.Seen) bool {
		return slices.ContainsFunc(append(s.Others, s.Name), func(n names.Name) bool {
			return n.Origin == origin && (n.String() == clean || n.Host == clean)
		})
	})
}

// hasOffer says whether some hello offered the protocol.
func hasOffer(found []names.Seen, protocol string) bool {
	return slices.ContainsFunc(found, func(s names.Seen) bool {
		return slices.Contains(strings.Split(s.ALPN, ","), protocol) || s.Chosen == protocol
	})
}

// compareHello compares what else a hello says. The oracle lists the ALPN protocols of both sides together.
func compareHello(t *testing.T, where string, got []names.Seen, line oracleLine, scores map[string]*score) {
	t.Helper()
	check := func(kind string, found bool) {
		if scores[kind] == nil {
			scores[kind] = &score{}
		}
		scores[kind].of++
		if found {
			scores[kind].found++
			return
		}
		t.Errorf("%s: %s of %s; got %+v", where, kind, line.Raw[kind], got)
	}
	var protocols []string
	_ = json.Unmarshal(line.Raw["alpn"], &protocols)
	for _, p := range protocols {
		check("alpn", hasOffer(got, p))
	}
	ech := slices.ContainsFunc(got, func(s names.Seen) bool { return s.ECH })
	if line.Raw["ech"] != nil || ech && line.Proto == "tcp" { // the oracle has none of QUIC's
		check("ech", ech && line.Raw["ech"] != nil)
	}
}

// sniffFile is what is seen of each flow of a file; a reused 5-tuple is several.
func sniffFile(t *testing.T, path string, tunnels flows.Tunnels) map[string][]names.Seen {
	t.Helper()
	found := map[string][]names.Seen{}
	sniffers := map[string]*names.Sniffer{}
	starts := map[string]uint32{}
	harvest := func(key string) {
		if s := sniffers[key]; s != nil {
			found[key] = append(found[key], s.Seen())
		}
	}
	eachPacket(t, path, tunnels, func(o *flows.Observation, payload []byte) {
		a, b := endpoint(o.Src, o.IPv6), endpoint(o.Dst, o.IPv6)
		key, side := flowKey(o.Proto.String(), a, b), names.Side(0)
		if b < a {
			side = 1
		}
		first := o.Flags&(flows.SYN|flows.ACK) == flows.SYN && o.Proto == flows.TCP
		if old, ok := starts[key]; first && (!ok || old != o.Seq) {
			harvest(key)
			delete(sniffers, key)
			starts[key] = o.Seq
		}
		s := sniffers[key]
		if s == nil {
			s = &names.Sniffer{}
			sniffers[key] = s
		}
		if o.Proto == flows.UDP {
			s.Datagram(side, o.Time, payload)
			return
		}
		seq := o.Seq
		if o.Flags&flows.SYN != 0 {
			seq++
			s.Start(side, seq)
		}
		s.Stream(side, o.Time, seq, payload)
	})
	for key := range sniffers {
		harvest(key)
	}
	return found
}

// eachPacket calls do with the payload of each packet of a flow, so far as it was captured.
func eachPacket(t *testing.T, path string, tunnels flows.Tunnels, do func(*flows.Observation, []byte)) {
	t.Helper()
	source, done := openCapture(t, path)
	defer done()
	var p capture.Packet
	var o flows.Observation
	for {
		err := source.Next(&p)
		if errors.Is(err, io.EOF) || errors.Is(err, capture.ErrTruncated) || errors.Is(err, capture.ErrDamaged) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		tunnels.Decode(&p, &o)
		if o.Kind.Decoded() && !o.FragLater && !o.Snapped {
			do(&o, payloadOf(p.Data, &o))
		}
	}
}

// payloadOf finds the transport header again by its first bytes, which the observation knows.
func payloadOf(data []byte, o *flows.Observation) []byte {
	header := binary.BigEndian.AppendUint16(nil, o.Src.Port)
	header = binary.BigEndian.AppendUint16(header, o.Dst.Port)
	length := 8
	if o.Proto == flows.TCP {
		header = binary.BigEndian.AppendUint32(header, o.Seq)
		header = binary.BigEndian.AppendUint32(header, o.Ack)
	} else {
		header = binary.BigEndian.AppendUint16(header, uint16(o.Payload+8))
	}
	i := bytes.Index(data, header)
	if i < 0 {
		return nil
	}
	if o.Proto == flows.TCP && len(data) > i+12 {
		length = int(data[i+12]>>4) * 4
	}
	if len(data) < i+length {
		return nil
	}
	data = data[i+length:]
	return data[:min(len(data), int(o.Payload))]
}
