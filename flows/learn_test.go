package flows_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"apptap/capture"
	"apptap/fixtures"
	"apptap/flows"
)

// lookup is a query of DNS for a host, or the answer with its address (RFC 1035 §4.1).
func lookup(client, server netip.AddrPort, id byte, host string, addr netip.Addr) []byte {
	question := be(len(host), host, 7, "example", 0, uint16(1), uint16(1))
	if !addr.IsValid() {
		return fixtures.UDP(client, server, be(0, int(id), uint16(0x0100), uint16(1), zeros(6), question))
	}
	answer := be("\xc0\x0c", uint16(1), uint16(1), uint32(60), uint16(4), addr.AsSlice())
	return fixtures.UDP(server, client, be(0, int(id), uint16(0x8180), uint16(1), uint16(1), zeros(4), question, answer))
}

// connections are clients that ask for names and connect to what they are told, all among one another.
func connections(rng *rand.Rand) (frames [][]byte) {
	resolver := netip.MustParseAddrPort("192.0.2.53:53")
	var waiting [][][]byte // by conversation
	for n := range 200 {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n % 5)}), uint16(2000+n))
		server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(rng.IntN(20))}), 443)
		host := fmt.Sprint("h", rng.IntN(30))
		waiting = append(waiting, [][]byte{
			lookup(client, resolver, byte(n), host, netip.Addr{}), lookup(client, resolver, byte(n), host, server.Addr()),
			fixtures.TCP(client, server, "S", 1, 0, nil), fixtures.TCP(server, client, "SA", 1, 2, nil),
			fixtures.TCP(client, server, "PA", 2, 2, []byte("hello")), fixtures.TCP(server, client, "PA", 2, 7, bytes.Repeat([]byte("x"), 900)),
		})
	}
	for len(waiting) > 0 {
		i := rng.IntN(len(waiting))
		frames = append(frames, waiting[i][0])
		if waiting[i] = waiting[i][1:]; len(waiting[i]) == 0 {
			waiting = slices.Delete(waiting, i, i+1)
		}
	}
	return frames
}

// TestLearnByBatches: what flows are called and how long their look-ups took depends neither on how packets are batched, nor on whether
// names are read beside the accounting for later batches.
func TestLearnByBatches(t *testing.T) {
	frames := connections(rand.New(rand.NewPCG(3, 4)))
	var want []flows.Flow
	for _, size := range []int{len(frames), 1, 7, 256, 300} {
		table := flows.NewTable()
		table.TakeTimes()
		follower := table.Follower()
		type read struct {
			batch    []flows.Observation
			payloads flows.Payloads
			lessons  flows.Lessons
		}
		queue, learned := make(chan *read), make(chan struct{})
		go func() {
			for b := range queue {
				table.Learn(b.batch, b.payloads.List, &b.lessons)
			}
			close(learned)
		}()
		at := int64(0)
		for part := range slices.Chunk(frames, size) {
			b := &read{batch: make([]flows.Observation, len(part))}
			for i, frame := range part {
				at++
				p := packet(capture.LinkTypeEthernet, frame)
				p.Time = at * 1_000_000
				var wanted flows.Payload
				if follower.Wants(&b.batch[i], flows.Outer.Decode(p, &b.batch[i]), &wanted) {
					b.payloads.Add(i, &wanted)
				}
			}
			table.Account(b.batch, b.payloads.List, nil, &b.lessons)
			queue <- b
		}
		close(queue)
		<-learned
		got := table.Flows(nil, local4())
		table.Close()
		for i := range got {
			got[i].Names.Number = 0 // any
		}
		if want == nil {
			want = got
			named := 0
			for i := range got {
				if got[i].Names.DNS != "" && got[i].Timing != nil && got[i].Timing.DNS > 0 {
					named++
				}
			}
			if named < 150 {
				t.Fatalf("%d of 200 connections have the name and the time of their look-up", named)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batches of %d, in one (-), else (+):\n%s", size, diff)
		}
	}
}
