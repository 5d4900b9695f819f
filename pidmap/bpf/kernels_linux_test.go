//go:build amd64 || arm64

package bpf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// otherKernel has the structures that the programs read, changed. Nothing but their names and their fields' names is the same in all
// kernels.
func otherKernel(t *testing.T, change func(s *btf.Struct)) *btf.Spec {
	t.Helper()
	spec, err := loadOwnership()
	if err != nil {
		t.Fatal(err)
	}
	all := &btf.Struct{Name: "all"}
	for typ, err := range spec.Types.All() {
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := typ.(*btf.Struct); ok {
			all.Members = append(all.Members, btf.Member{Type: s})
		}
	}
	all = btf.Copy(all).(*btf.Struct) // with all that they refer to
	var types []btf.Type
	for _, m := range all.Members {
		s := m.Type.(*btf.Struct)
		change(s)
		types = append(types, s)
	}
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	target, err := b.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// relocated are the programs' relocations against a kernel: in words what became of each, by program, and the instructions.
func relocated(t *testing.T, target *btf.Spec) map[string][]string {
	t.Helper()
	spec, err := loadOwnership()
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	for name, p := range spec.Programs {
		var relos []*btf.CORERelocation
		var at []*asm.Instruction
		for i := range p.Instructions {
			if r := btf.CORERelocationMetadata(&p.Instructions[i]); r != nil {
				relos, at = append(relos, r), append(at, &p.Instructions[i])
			}
		}
		if len(relos) == 0 {
			continue
		}
		fixups, err := btf.CORERelocate(relos, []*btf.Spec{target}, p.ByteOrder, func(btf.Type) (btf.TypeID, error) { return 0, nil })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range fixups {
			if err := fixups[i].Apply(at[i]); err != nil {
				t.Errorf("%s: %v: %v", name, relos[i], err)
			}
			said[name] = append(said[name], fmt.Sprint(relos[i], " ", fixups[i].String()))
		}
	}
	if len(said) < 10 {
		t.Fatalf("%d programs have relocations", len(said))
	}
	return said
}

// TestOtherKernels applies the committed objects' relocations to the types of kernels that have the structures in other shapes: accesses go where
// the fields are, what may be missing is found missing, and what must be there is not read from anywhere else.
func TestOtherKernels(t *testing.T) {
	const shift = 64 // bytes
	same := func(*btf.Struct) {}
	moved := func(s *btf.Struct) {
		for i := range s.Members {
			s.Members[i].Offset += shift * 8
		}
		s.Size += shift
	}
	without := func(name, field string) func(*btf.Struct) {
		return func(s *btf.Struct) {
			if s.Name == name {
				s.Members = slices.DeleteFunc(s.Members, func(m btf.Member) bool { return m.Name == field })
			}
		}
	}
	tests := []struct {
		name   string
		change func(*btf.Struct)
		// holds says whether what became of an access, from one offset to another, is as it should be.
		holds func(access string, from, to int) bool
		// poisoned are the accesses that must not be made any more, by a part of their words. Others must be.
		poisoned []string
		missing  bool // a field that is asked for
	}{
		{name: "the same", change: same, holds: func(_ string, from, to int) bool { return from == to }},
		// A field of a field moves with both.
		{name: "other fields in front", change: moved, holds: func(_ string, from, to int) bool { return to > from && (to-from)%shift == 0 }},
		{name: "before Multipath TCP", change: without("tcp_sock", "is_mptcp"), holds: func(_ string, from, to int) bool { return from == to },
			poisoned: []string{`"tcp_sock"[0:4]`}, missing: true},
		{name: "a port by another name", change: without("sock_common", "skc_dport"), holds: func(_ string, from, to int) bool { return from == to },
			poisoned: []string{`"sock_common"[0:3]`, `"sock"[0:0:3]`, `"sock_common"[0:2]`, `"sock"[0:0:2]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			poisoned, missing := 0, false
			for name, list := range relocated(t, otherKernel(t, tt.change)) {
				for _, said := range list {
					var from, to int
					if strings.Contains(said, "poison") {
						poisoned++
						if !slices.ContainsFunc(tt.poisoned, func(access string) bool { return strings.Contains(said, access) }) {
							t.Errorf("%s: %s", name, said)
						}
						continue
					}
					at := strings.LastIndexByte(said, '=')
					fmt.Sscanf(said[at+1:], "%d->%d", &from, &to)
					switch {
					case strings.Contains(said, "field_exists"):
						missing = missing || to == 0
					case strings.Contains(said, "byte_off") && !tt.holds(said, from, to):
						t.Errorf("%s: %s", name, said)
					}
				}
			}
			if (poisoned > 0) != (len(tt.poisoned) > 0) || missing != tt.missing {
				t.Errorf("%d accesses must not be made, a field is missing: %v; want %q and %v", poisoned, missing, tt.poisoned, tt.missing)
			}
		})
	}
}
