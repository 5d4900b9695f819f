package pidmap

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"apptap/pidmap/conntrack"
)

// translations hears which flows the kernel translates. Its methods may be called from any goroutine, on nil too.
type translations struct {
	mu       sync.Mutex
	listener *conntrack.Listener
	told     []Event // by the dump at the start, until they are asked for
	heard    int64   // when the queue was last empty, or a little before; nothing is missing until then
	lost     uint64  // overflows until then
	failed   bool
}

// openTranslations begins to listen, and then looks at what there is: listening alone outlasts the rights that both want. lacks is
// what cannot be told, "" where nothing is translated.
func openTranslations() (tr *translations, lacks string) {
	tracked, err := conntrack.Tracked()
	if err != nil {
		return nil, "" // nothing is tracked, so nothing is translated
	}
	listener, err := conntrack.Open()
	if err != nil {
		if tracked == 0 {
			return nil, ""
		}
		return nil, fmt.Sprintf("flows that this host forwards with its own address (NAT) have no owner: %v; %s", err, translationsMend(err))
	}
	tr = &translations{listener: listener, heard: time.Now().UnixNano()}
	entries, err := conntrack.Dump()
	tr.told = tr.events(nil, entries, 0, time.Now().UnixNano())
	switch {
	case err != nil:
		lacks = fmt.Sprintf("flows that this host forwarded with its own address (NAT) before the start have no owner: %v; %s", err, translationsMend(err))
	case conntrack.Silent():
		lacks = "flows that this host begins to forward with its own address (NAT) have no owner: the kernel does not tell of them; sysctl net.netfilter.nf_conntrack_events=1"
	}
	return tr, lacks
}

func (tr *translations) close() error {
	if tr == nil {
		return nil
	}
	return tr.listener.Close()
}

// look appends what was heard since the last look.
func (tr *translations) look(dst []Event) []Event {
	if tr == nil {
		return dst
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	dst, tr.told = append(dst, tr.told...), nil
	if tr.failed {
		return dst
	}
	now := time.Now().UnixNano()
	entries, err := tr.listener.Drain(nil)
	tr.failed = err != nil
	notBefore := tr.heard
	if lost := tr.listener.Overflows(); lost > tr.lost {
		tr.lost, notBefore = lost, 0 // what is heard of may have begun whenever
		if all, err := conntrack.Dump(); err == nil {
			entries = append(entries, all...)
		}
	}
	dst = tr.events(dst, entries, notBefore, time.Now().UnixNano())
	tr.heard = now
	return dst
}

func (tr *translations) events(dst []Event, entries []conntrack.Entry, notBefore, now int64) []Event {
	for i := range entries {
		e := &entries[i]
		told := Event{Kind: FlowTranslated, Time: now, NotBefore: notBefore, Method: MethodConntrack, Translation: &Translation{e.Original, e.Reply}}
		if e.Ended {
			told.Kind, told.NotBefore = FlowUntranslated, 0
		}
		dst = append(dst, told)
	}
	return dst
}

// overflows is how often something was lost.
func (tr *translations) overflows() uint64 {
	if tr == nil {
		return 0
	}
	return tr.listener.Overflows()
}

func probeTranslations() Check {
	check := Check{Name: "translated flows (conntrack)"}
	tracked, err := conntrack.Tracked()
	if errors.Is(err, conntrack.ErrNotTracking) {
		check.OK, check.Detail = true, "this kernel tracks no connections, so it translates none"
		return check
	}
	if err == nil {
		var listener *conntrack.Listener
		if listener, err = conntrack.Open(); err == nil {
			defer listener.Close()
			var entries []conntrack.Entry
			if entries, err = conntrack.Dump(); err == nil {
				check.OK, check.Detail = true, fmt.Sprintf("%d of %d tracked connections in this network namespace", len(entries), tracked)
				return check
			}
		}
	}
	check.Detail, check.Mend = err.Error(), translationsMend(err)
	return check
}

func translationsMend(err error) string {
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return "run as root, or give CAP_NET_ADMIN"
	case errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP):
		return "this kernel lacks CONFIG_NF_CT_NETLINK, or its module nf_conntrack_netlink"
	}
	return "see dmesg"
}
