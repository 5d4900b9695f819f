package main

import (
	"os"
	"syscall"
	"unsafe"
)

// openDirect opens a file that is being written a second time with O_DIRECT (open(2)). It is nil where that is not possible: for
// what is no file, and on some file systems.
func openDirect(name string, file *os.File) *direct {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	again, err := os.OpenFile(name, os.O_WRONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return nil
	}
	if other, err := again.Stat(); err != nil || !os.SameFile(info, other) {
		again.Close()
		return nil
	}
	return &direct{file: again, buffer: hugeBuffer()}
}

const (
	directBuffer = 1 << 20 // twice as much gains nothing, and is lost when the process is killed
	hugePage     = 2 << 20
	madvCollapse = 25 // MADV_COLLAPSE, since Linux 6.1
)

// hugeBuffer is a buffer in a huge page if the kernel has one to give: the disk is told of one piece of memory then, instead of one for
// each page, and is done in half the time.
func hugeBuffer() []byte {
	b := make([]byte, 2*hugePage)
	address := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	b = b[-address%hugePage:][:hugePage]
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // wishes
	_ = syscall.Madvise(b, madvCollapse)
	return b[:directBuffer:directBuffer]
}
