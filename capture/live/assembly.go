package live

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// assembly is a classic BPF program in the making, with labels to jump to: only forward, for BPF has no other jumps.
type assembly struct {
	code   []bpf.Instruction
	jumps  []labelled
	labels map[string]int
	base   uint32 // offset that every load by X counts from
}

// at loads bytes of the frame. The base is part of the instruction, not of X, because that is what libpcap can move
// where a socket's frames lack the header that it makes up.
func (a *assembly) at(off uint32, size int) bpf.Instruction {
	return bpf.LoadIndirect{Off: a.base + off, Size: size}
}

// labelled is a jump at an index of the code. An empty label is the next instruction.
type labelled struct {
	at             int
	onTrue, onElse string
}

func (a *assembly) add(code ...bpf.Instruction) { a.code = append(a.code, code...) }

func (a *assembly) label(name string) {
	if a.labels == nil {
		a.labels = make(map[string]int)
	}
	a.labels[name] = len(a.code)
}

// jump compares the accumulator.
func (a *assembly) jump(test bpf.JumpTest, value uint32, onTrue, onElse string) {
	a.jumps = append(a.jumps, labelled{len(a.code), onTrue, onElse})
	a.add(bpf.JumpIf{Cond: test, Val: value})
}

// oneOf jumps to a label if the accumulator is one of the values.
func (a *assembly) oneOf(label string, values ...uint32) {
	for _, v := range values {
		a.jump(bpf.JumpEqual, v, label, "")
	}
}

func (a *assembly) assemble() ([]bpf.RawInstruction, error) {
	for _, j := range a.jumps {
		test := a.code[j.at].(bpf.JumpIf)
		var err error
		if test.SkipTrue, err = a.skip(j.at, j.onTrue); err != nil {
			return nil, err
		}
		if test.SkipFalse, err = a.skip(j.at, j.onElse); err != nil {
			return nil, err
		}
		a.code[j.at] = test
	}
	return bpf.Assemble(a.code)
}

// skip is how many instructions lie between a jump and its label: a byte holds the number.
func (a *assembly) skip(from int, label string) (uint8, error) {
	if label == "" {
		return 0, nil
	}
	to, ok := a.labels[label]
	if n := to - from - 1; ok && n >= 0 && n < 256 {
		return uint8(n), nil
	}
	return 0, fmt.Errorf("jump from %d to %q at %d", from, label, to)
}
