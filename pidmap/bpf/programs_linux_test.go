//go:build amd64 || arm64

package bpf

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// TestRingFirst: without rights the ring is refused as such, and any other map as if the kernel were too old.
func TestRingFirst(t *testing.T) {
	spec, err := loadOwnership()
	if err != nil {
		t.Fatal(err)
	}
	names := mapNames(spec)
	if first := spec.Maps[names[0]]; first == nil || first.Type != ebpf.RingBuf {
		t.Errorf("%s is made first, want the ring", names[0])
	}
	if want := slices.DeleteFunc(slices.Sorted(maps.Keys(spec.Maps)), func(name string) bool { return name[0] == '.' }); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("maps %v, want each of %v once", names, want)
	}
}

// TestIntegrationVerifier gives every program to this kernel's verifier. A host may refuse programs; one that reads them
// and finds a mistake must not go unnoticed because there is a tier without them.
func TestIntegrationVerifier(t *testing.T) {
	spec, err := loadOwnership()
	if err != nil {
		t.Fatal(err)
	}
	probe, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 4096})
	if err != nil {
		t.Skipf("no eBPF for this user here: %v", err)
	}
	probe.Close()
	for name := range spec.Programs {
		t.Run(name, func(t *testing.T) {
			one := spec.Copy()
			one.Programs = map[string]*ebpf.ProgramSpec{name: one.Programs[name]}
			c, err := ebpf.NewCollection(one)
			var wrong *ebpf.VerifierError
			switch {
			case err == nil:
				c.Close()
			case errors.Is(err, os.ErrPermission) && errors.As(err, &wrong) && strings.HasPrefix(wrong.Log[0], "processed 0 "):
				t.Skipf("this host refuses it unread: %v", err)
			case errors.As(err, &wrong) && len(wrong.Log) > 0:
				t.Errorf("%+v", wrong)
			default:
				t.Skipf("this host refuses it, or lacks what it is for: %v", err)
			}
		})
	}
}
