package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"apptap/summarize"
)

// Run executes c until its sources end or ctx does, and returns a Summary of whatever was captured.
// What went wrong on the way is among the Result's warnings. The sources are closed by whoever opened
// them, after Run.
func Run(ctx context.Context, c Config) Result {
	if c.Now == nil {
		c.Now = time.Now
	}
	readCtx, stopReading := context.WithCancel(ctx)
	defer stopReading()
	run := newShared(&c, stopReading)
	o := newOwner(&c, run)
	o.start()
	if c.Begun != nil {
		c.Begun()
	}

	// Ownership and counters outlive the reading: the sockets of the last packets are still to come.
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	var sources sync.WaitGroup
	o.runBackground(background, &sources)
	o.startView()

	readErrs := make(chan error, len(c.Sources))
	for _, r := range o.readers {
		go func() { readErrs <- r.read(readCtx) }()
	}
	errs := o.own(readCtx, readErrs)
	o.finish(background)
	endBackground()
	o.collect(&sources)
	defer o.table.Close()
	return o.result(errs)
}

// own adds everything that arrives to the owner's state until all readers have returned.
func (o *owner) own(ctx context.Context, readErrs <-chan error) (errs []error) {
	tick := time.NewTicker(o.tick())
	defer tick.Stop()
	done := ctx.Done()
	for readers := len(o.config.Sources); readers > 0; {
		select {
		case b := <-o.run.batches:
			o.addBatch(b)
		case events := <-o.events:
			o.addEvents(events)
			if owners, ok := o.config.Owners.(eventReuser); ok {
				owners.Reuse(events) // all that is kept of them is copied
			}
		case counters := <-o.closed:
			o.addSockets(counters)
		case <-tick.C:
			o.publish()
		case <-done:
			done = nil // once
			o.stop()
		case err := <-readErrs:
			readers--
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	if done != nil {
		o.stop()
	}
	for {
		select {
		case b := <-o.run.batches:
			o.addBatch(b)
		default:
			return errs
		}
	}
}

// stop marks the end of a live run: the interface counters are read right before and after the moment
// past which no packet counts.
func (o *owner) stop() {
	if !o.config.Live {
		return
	}
	o.beforeClose = o.readInterfaces()
	o.end = o.config.Now().UnixNano()
	if o.config.MaxPackets == 0 || o.run.taken.Load() < o.config.MaxPackets {
		o.run.stopAt.Store(o.end)
	} else {
		// The packet that reached the limit came before this moment: how long before is not known to
		// the counters, so nothing after the opening is certain.
		o.beforeClose, o.limited = o.config.AfterOpen, true
	}
	if o.config.CountOnly {
		o.count() // that is the end of what counts
	}
	o.afterClose = o.readInterfaces()
	for _, r := range o.readers {
		if r.stops != nil {
			r.stops.Stop()
		}
	}
	o.readSockets(summarize.AtEnd)
	if !o.config.CountOnly {
		o.count()
	}
}

// readLate reads the counters of interfaces again that had not counted yet what was captured on them.
func (o *owner) readLate() {
	if !o.config.Live || o.config.Counters == nil {
		return
	}
	for _, i := range o.interfaces() {
		if !i.Ahead() {
			continue
		}
		late, _ := o.config.Counters.Interfaces([]string{i.Name}) // one that is gone keeps what was read
		if counters, ok := late[i.Name]; ok {
			o.afterClose[i.Name] = counters
		}
	}
}

// finish asks the sources of ownership a last time, before they end.
func (o *owner) finish(ctx context.Context) {
	if o.config.Owners == nil {
		return
	}
	events, err := o.config.Owners.Scan(ctx)
	if err != nil {
		o.degrade(fmt.Sprintf("last look at the sockets: %v", err))
	}
	o.addEvents(events)
}

// runBackground starts the sources of ownership and of closed sockets' counters.
func (o *owner) runBackground(ctx context.Context, wait *sync.WaitGroup) {
	start := func(what string, run func() error) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := run(); err != nil && !errors.Is(err, context.Canceled) {
				o.failures <- fmt.Sprintf("%s: %v", what, err)
			}
		}()
	}
	if owners := o.config.Owners; owners != nil {
		start("sources of ownership", func() error {
			return owners.Run(ctx, send(o.events))
		})
	}
	if counters := o.config.Counters; counters != nil && o.socketsUnavailable == "" {
		start("counters of closed sockets", func() error {
			return counters.RunClosed(ctx, send(o.closed))
		})
	}
}

func send[T any](to chan<- []T) func([]T) {
	return func(values []T) {
		if len(values) > 0 {
			to <- values
		}
	}
}

// collect takes what the background sources still send until all have returned.
func (o *owner) collect(wait *sync.WaitGroup) {
	returned := make(chan struct{})
	go func() { wait.Wait(); close(returned) }()
	for {
		select {
		case events := <-o.events:
			o.addEvents(events)
		case counters := <-o.closed:
			o.addSockets(counters)
		case failure := <-o.failures:
			o.degrade(failure)
		case <-returned:
			o.drain()
			return
		}
	}
}

// drain takes what was sent before the last source returned.
func (o *owner) drain() {
	for {
		select {
		case events := <-o.events:
			o.addEvents(events)
		case counters := <-o.closed:
			o.addSockets(counters)
		case failure := <-o.failures:
			o.degrade(failure)
		default:
			return
		}
	}
}

// result builds the last Summary.
func (o *owner) result(errs []error) Result {
	var result Result
	for _, err := range errs {
		result.Warnings = append(result.Warnings, flatten(err)...)
		o.incomplete = true
	}
	for _, warning := range result.Warnings {
		o.degrade(warning.Error())
	}
	if o.end == 0 {
		o.end = o.config.Now().UnixNano()
	}
	if o.limited && o.packets > 0 {
		o.end = min(o.end, o.last) // the packet that was the last ended the capture, and what sockets moved since then is no part of it
	}
	o.readLate()
	o.writeState(true)
	if result.RecordErr = o.run.recordErr; result.RecordErr != nil {
		o.degrade(fmt.Sprintf("the recording ended early, the report did not: %v", result.RecordErr))
	}
	result.Summary = o.buildReport()
	for _, r := range o.readers {
		result.Interfaces = append(result.Interfaces, r.state.Load().interfaces...)
	}
	o.endView()
	return result
}

// flatten is the errors that were joined into err: each is a sentence of its own.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

const noTime = math.MaxInt64
