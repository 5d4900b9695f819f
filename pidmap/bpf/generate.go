package bpf

// The objects are committed, so that nobody needs a compiler to build or run apptap. TestObjects says whether they are
// those that clang 14 makes of the source.
//go:generate go tool bpf2go -go-package bpf -target amd64,arm64 -tags linux -cc clang-14 -strip llvm-strip-14 -cflags "-O2 -Wall -Werror -mcpu=v3" ownership ownership.bpf.c
