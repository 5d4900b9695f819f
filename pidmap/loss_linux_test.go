package pidmap

import (
	"net"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"apptap/fixtures/netns"
)

// lose drops every fiftieth packet, by chance, that a namespace sends or is sent, until the test ends. Not every kernel has netem,
// so a program of three instructions does it, where packets enter and leave traffic control.
func lose(t *testing.T, n *netns.Namespace) {
	t.Helper()
	const random, drop, next = 7, 2, -1 // bpf_get_prandom_u32, TCX_DROP, TCX_NEXT of include/uapi/linux/bpf.h
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: asm.Instructions{
		asm.BuiltinFunc(random).Call(),
		asm.Mod.Imm32(asm.R0, 50),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.Mov.Imm(asm.R0, next),
		asm.Return(),
		asm.Mov.Imm(asm.R0, drop).WithSymbol("drop"),
		asm.Return(),
	}})
	if err != nil {
		t.Skipf("no packets can be lost here: %v", err)
	}
	t.Cleanup(func() { program.Close() })
	n.Do(t, func() {
		device, err := net.InterfaceByName(netns.Interface)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
			attached, err := link.AttachTCX(link.TCXOptions{Interface: device.Index, Program: program, Attach: at})
			if err != nil {
				t.Skipf("no packets can be lost here: %v", err)
			}
			t.Cleanup(func() { attached.Close() })
		}
	})
}
