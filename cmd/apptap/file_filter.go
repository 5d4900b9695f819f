package main

import (
	"fmt"

	"apptap/capture"
	"apptap/capture/live"
)

// fileFilter applies a BPF expression to packets from files. One file may hold several link types,
// for each of which the expression compiles to another program.
type fileFilter struct {
	expr     string
	programs map[capture.LinkType]*live.Filter // nil where the expression makes no sense for the link type
}

// newFileFilter compiles the expression for the link types known so far, to find mistakes in it early.
func newFileFilter(expr string, sources []capture.Source) (*fileFilter, error) {
	f := &fileFilter{expr: expr, programs: make(map[capture.LinkType]*live.Filter)}
	types := []capture.LinkType{}
	for _, source := range sources {
		for _, i := range source.Interfaces() {
			types = append(types, i.LinkType)
		}
	}
	if len(types) == 0 {
		types = append(types, capture.LinkTypeEthernet)
	}
	for _, t := range types {
		if err := f.compile(t); err != nil {
			return nil, fmt.Errorf("filter for %v packets: %w", t, err)
		}
	}
	return f, nil
}

func (f *fileFilter) compile(t capture.LinkType) error {
	program, err := live.CompileFilter(t, defaultSnapLen, f.expr)
	f.programs[t] = program
	return err
}

func (f *fileFilter) match(p *capture.Packet) bool {
	program, ok := f.programs[p.LinkType]
	if !ok {
		if f.compile(p.LinkType) != nil {
			return false // libpcap has no such link type or the expression no meaning there: nothing matches
		}
		program = f.programs[p.LinkType]
	}
	return program != nil && program.Match(p)
}
