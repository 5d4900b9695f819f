package pidmap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"apptap/pidmap/ntstat"
)

// MacAnswer is what the statistics control does to tell of flows, for apptap doctor.
type MacAnswer struct {
	// Parts, Datagrams and Bytes are of one answer that tells of all flows.
	Parts, Datagrams, Bytes int
	Flows                   map[string]int // that it told of, by provider
	// Life are the messages about a TCP connection of this process with itself: before anything was asked, when all flows were asked
	// for, and after its end.
	Life []string
}

// selfTalk opens a TCP connection of this process with itself over the loopback interface and sends 1000 bytes one way; end closes both sides.
// One goroutine can be both, because so few fit any socket's buffer.
func selfTalk() (end func() error, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close() // what it accepted stays
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	server, err := listener.Accept() // the connection waits for it already
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	const few = 1000
	end = func() error { return errors.Join(client.Close(), server.Close()) }
	if _, err = client.Write(make([]byte, few)); err != nil {
		return nil, errors.Join(err, end())
	}
	return end, nil
}

// hearLife hears of a connection from its beginning to its end.
func (f *macFlows) hearLife(talk func() (end func() error, err error)) error {
	now := func() int64 { return time.Now().UnixNano() }
	ending, err := talk()
	if err != nil {
		return fmt.Errorf("talk to myself: %w", err)
	}
	end := sync.OnceValue(ending)
	defer end()
	for _, moment := range []struct {
		name string
		do   func() error
	}{{"unasked", func() error { return nil }}, {"asked", f.poll}, {"ended", end}} {
		f.samples.moment = moment.name
		if err := moment.do(); err != nil {
			return err
		}
		if _, err := f.receive(nil, now); err != nil {
			return err
		}
	}
	f.samples.moment = ""
	return nil
}

// hear notes what a message says of this process's flows, while a life is heard of.
func (n *ntstatSamples) hear(m ntstat.Message) {
	if n == nil || n.moment == "" {
		return
	}
	if f, err := ntstat.Decode(m); err == nil && f.PID == int32(os.Getpid()) {
		n.own[m.Ref()] = true
		n.answer.Life = append(n.answer.Life, fmt.Sprintf("%s: message %d, flags %#x, provider %d, state %d, interface %d, age %d ticks, acts for itself %v, sent %d, received %d",
			n.moment, m.Kind, m.Flags, f.Provider, f.State, f.Interface, f.Age, f.Effective == 0 || f.Effective == f.PID, f.Counts.TxBytes, f.Counts.RxBytes))
		return
	}
	if n.own[m.Ref()] && m.Kind != ntstat.Update && m.Kind != ntstat.Descriptor {
		n.answer.Life = append(n.answer.Life, fmt.Sprintf("%s: message %d, flags %#x", n.moment, m.Kind, m.Flags))
	}
}

// heardDatagram counts what it takes to tell of all flows.
func (n *ntstatSamples) heardDatagram(size int) {
	if n != nil && n.moment == "" {
		n.answer.Datagrams++
		n.answer.Bytes += size
	}
}

func (n *ntstatSamples) heardPart() {
	if n != nil && n.moment == "" {
		n.answer.Parts++
	}
}

// responsibles counts for how many processes the system names which other one, and whom WebKit's networking works for as far as that is
// Apple's.
func (m *macProcs) responsibles() map[string]int {
	counts := map[string]int{}
	if m.apps.Responsible == nil {
		return counts
	}
	for _, pid := range m.pids {
		switch responsible, ok := m.apps.Responsible(pid); {
		case !ok:
			counts["nobody"]++
		case responsible == pid:
			counts["itself"]++
		default:
			counts["another"]++
		}
		p, ok := m.process(pid)
		if !ok || !strings.HasSuffix(p.Path, "/com.apple.WebKit.Networking") {
			continue
		}
		app := p.Bundle.ID
		if !strings.HasPrefix(app, "com.apple.") {
			app = "another app"
		}
		counts["WebKit for "+app]++
	}
	return counts
}

func flowsByProvider(told map[uint64]*toldFlow) map[string]int {
	counts := map[string]int{}
	for _, t := range told {
		counts["provider "+strconv.Itoa(int(t.provider))]++
	}
	return counts
}
