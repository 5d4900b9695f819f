package main

import (
	"errors"
	"fmt"

	"apptap/internal/rights"
)

// giveUpRights leaves a capture what it needs from its first packet on: packets, kernel events and counters come through
// what is open already. It is no reason to end if the kernel does not let rights go; it is one to say so.
func giveUpRights(s streams, f *captureFlags) {
	named := func(file string) bool { return file != "" && file != "-" }
	writes := named(f.record) || named(f.file)
	left, err := rights.Keep(rights.ForCapture(writes, rights.Release()))
	switch {
	case errors.Is(err, errors.ErrUnsupported): // the system has none to give up
	case err != nil:
		fmt.Fprintf(s.err, "apptap: all rights are kept: %v\n", err)
	case f.verbose:
		fmt.Fprintf(s.err, "apptap: rights kept: %v\n", left)
	}
}
