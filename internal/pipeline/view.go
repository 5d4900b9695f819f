package pipeline

import "time"

// buildShare bounds what building Summaries for the view may cost: a build that took d is followed by the
// next after buildShare*d at the earliest, so that the readers never wait longer than that share of the time.
const buildShare = 20

func (o *owner) tick() time.Duration {
	if o.config.Tick > 0 {
		return o.config.Tick
	}
	return 500 * time.Millisecond // who starts a capture sees apps within a second
}

func (o *owner) startView() {
	if o.config.View == nil {
		return
	}
	o.view, o.viewed = make(chan Progress, 1), make(chan struct{})
	go func() {
		defer close(o.viewed)
		o.config.View(o.view)
	}()
}

// publish gives the view the state of the run. A view that is still busy with older news gets the newest: the owner
// never waits for a terminal.
func (o *owner) publish() {
	o.learnLocal()
	o.keepState()
	o.sumCounted()
	o.settle() // where no packet comes there are sockets all the same
	if o.config.Live {
		o.run.flush()
	}
	if o.view == nil {
		return
	}
	p := Progress{Packets: o.packets, Bytes: o.bytes, Flows: o.flows()}
	if now := time.Now(); o.config.Live && now.After(o.nextBuild) {
		p.Summary = o.buildView()
		o.nextBuild = now.Add(buildShare * time.Since(now))
	}
	select {
	case <-o.view:
	default:
	}
	o.view <- p
}

// flows is how many there have been, those that are only in the sums included.
func (o *owner) flows() int { return o.table.Len() + o.folded.Flows() + o.settled.Flows() }

// endView ends the view and waits for it, so that nothing it prints comes after the report.
func (o *owner) endView() {
	if o.view == nil {
		return
	}
	close(o.view)
	<-o.viewed
}
