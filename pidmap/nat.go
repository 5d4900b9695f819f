package pidmap

import (
	"math"
	"slices"

	"apptap/flows"
)

// MethodConntrack says of evidence that the kernel's connection tracking told it.
const MethodConntrack Method = "conntrack"

// Translation is a flow whose addresses this machine translates (NAT): Original is the 5-tuple of the socket that opened it, and Reply
// that of the socket that took it, each as that socket has it. Neither has the other's mirror.
type Translation struct{ Original, Reply flows.Key }

// translation is what a flow is behind one 5-tuple that is seen on the wire.
type translation struct {
	inner     flows.Key // of the socket that has the flow's local side
	notBefore int64     // it was not there yet, 0 = not known
	seen, end int64     // it was there, and it was gone
}

// maxTranslations bounds History.translations, in 5-tuples: two a flow.
const maxTranslations = 1 << 17

// translate takes in a FlowTranslated or FlowUntranslated. Who opened a flow speaks to an address that is not the other's: what is
// seen there as the way back of Original is the socket of Reply, and the other way round.
func (h *History) translate(e *Event) {
	if t := e.Translation; t != nil {
		h.translateOne(t.Original.Reverse(), t.Reply, e)
		h.translateOne(t.Reply.Reverse(), t.Original, e)
	}
}

func (h *History) translateOne(outer, inner flows.Key, e *Event) {
	list := h.translations[outer]
	at := len(list) - 1
	for at >= 0 && list[at].inner != inner {
		at--
	}
	switch {
	case e.Kind == FlowUntranslated:
		if at >= 0 && list[at].seen <= e.Time {
			list[at].end = min(list[at].end, e.Time)
		}
	case at == len(list)-1 && at >= 0 && list[at].end >= e.NotBefore:
		list[at].end = stillOpen // told once more, or tracked anew at once
	case len(list) == maxSightings || at < 0 && len(h.translations) >= maxTranslations:
	default:
		h.translations[outer] = append(list, translation{inner, e.NotBefore, e.Time, stillOpen})
	}
}

// translatedWithin lists what may have been behind key within [first, last]. A 5-tuple is translated in one way at a time.
func (h *History) translatedWithin(key flows.Key, first, last int64) (within []translation) {
	list := h.translations[key]
	for i, t := range list {
		if i+1 < len(list) {
			t.end = min(t.end, list[i+1].seen)
		}
		if t.notBefore <= last+coverSlack && first-coverSlack <= t.end { // the kernel tracks a flow of TCP for ten seconds or more after its last packet
			within = append(within, t)
		}
	}
	return within
}

// translatedOwner names the owner of a flow that is translated; false if it is not, or has a socket of its own. Behind a
// translation only the socket of the very 5-tuple counts: what listens on such a port here is another's, docker-proxy's perhaps.
func (h *History) translatedOwner(key flows.Key, first, last int64) (Attribution, bool) {
	within := h.translatedWithin(key, first, last)
	if len(within) == 0 || len(choose(h.connected[key], first, last, h.current)) > 0 {
		return Attribution{}, false
	}
	found := Attribution{Reason: ReasonForwarded}
	for _, t := range within {
		a := h.connectedOwner(t.inner, first, last)
		if a.Reason == h.absent {
			continue
		}
		a.Translated = t.inner
		if found.Known() && (!a.Known() || a.App.ID != found.App.ID) {
			return Attribution{Reason: ReasonAmbiguous, Candidates: slices.Concat(candidatesOf(found), candidatesOf(a))}, true
		}
		found = a
	}
	if !found.Known() && found.Reason == ReasonForwarded && len(within) == 1 {
		found.Translated = within[0].inner
	}
	return found, true
}

func candidatesOf(a Attribution) []Process {
	if a.Known() {
		return []Process{a.Process}
	}
	return a.Candidates
}

// connectedOwner asks the sockets of the very 5-tuple alone.
func (h *History) connectedOwner(key flows.Key, first, last int64) Attribution {
	lives := h.ownFirst(h.connected[key], first, last)
	if key.Proto != flows.UDP {
		return h.attribute(choose(lives, first, last, h.current), first, last, MethodSockDiag)
	}
	lives, whole := chooseAll(lives, first, last, h.current)
	a := h.attribute(lives, first, last, MethodSockDiag)
	if !whole && a.Known() {
		return Attribution{Reason: ReasonAmbiguous, Candidates: []Process{a.Process}}
	}
	return a
}

// inside says which sockets flows may still be asked about that are seen under other addresses than the sockets'.
func (h *History) inside(needed Needed) map[flows.Key]bool {
	if len(h.translations) == 0 {
		return nil
	}
	inside := map[flows.Key]bool{}
	for outer, list := range h.translations {
		if !needed.Flow(outer, math.MaxInt64) {
			continue
		}
		for _, t := range list {
			inside[t.inner] = true
		}
	}
	return inside
}

// forgetTranslations drops those that were over before and that no flow in needed is to be asked about.
func (h *History) forgetTranslations(before int64, needed Needed) {
	for outer, list := range h.translations {
		kept := slices.DeleteFunc(list, func(t translation) bool { return t.end < before && !needed.Flow(outer, t.end) })
		if len(kept) == 0 {
			delete(h.translations, outer)
		} else {
			h.translations[outer] = kept
		}
	}
}

// translatedEvidence appends how a flow was translated, and what is known of the sockets behind.
func (h *History) translatedEvidence(list []Evidence, key flows.Key, first, last int64) (_ []Evidence, behind []*life) {
	for _, t := range h.translatedWithin(key, first, last) {
		list = append(list, Evidence{Time: t.seen, What: "translated", Method: MethodConntrack, Socket: Socket{Key: t.inner}, Since: t.notBefore})
		behind = append(behind, h.connected[t.inner]...)
	}
	return list, behind
}
