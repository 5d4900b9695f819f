//go:build !cgo

package live

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"

	"apptap/capture"
)

// errNoLibpcap is what everything that needs libpcap returns here.
func errNoLibpcap(what string) error {
	return fmt.Errorf("%s: this build has no libpcap (it was made without cgo); install libpcap's headers "+
		"(libpcap-dev, libpcap-devel; on a Mac xcode-select --install has both) and a C compiler and build with CGO_ENABLED=1: %w", what, errors.ErrUnsupported)
}

// openPcap returns an error that wraps errors.ErrUnsupported.
func openPcap(c Config) (capture.Source, error) {
	return nil, errNoLibpcap("capture on " + c.Interface)
}

// compileProgram returns an error that wraps errors.ErrUnsupported.
func compileProgram(_ capture.LinkType, _ int, expr string) ([]bpf.RawInstruction, error) {
	return nil, errNoLibpcap(fmt.Sprintf("filter %q", expr))
}

// Filter is a compiled filter expression. This build cannot make one.
type Filter struct{}

// CompileFilter returns an error that wraps errors.ErrUnsupported.
func CompileFilter(_ capture.LinkType, _ int, expr string) (*Filter, error) {
	return nil, errNoLibpcap(fmt.Sprintf("filter %q", expr))
}

// Match matches nothing.
func (*Filter) Match(*capture.Packet) bool { return false }

// pcapInterfaces knows of none.
func pcapInterfaces() []InterfaceRow { return nil }
