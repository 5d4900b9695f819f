package flows

import "unsafe"

const (
	// chunkLength is how many values are allocated at a time: of records, whole huge pages.
	chunkLength = 1 << 15
	// firstLength is where an arena begins. It is copied as it grows into a chunk; after that nothing moves.
	firstLength = 1 << 9
)

// arena is a growing list of values without pointers. What is large lies outside the Go heap, where the
// collector neither scans it nor lets the heap double because of it. A pointer into it is valid until the next add.
type arena[T any] struct {
	chunks [][]T
	length uint32
	mapped []memory // by chunk
}

func (a *arena[T]) at(i uint32) *T { return &a.chunks[i/chunkLength][i%chunkLength] }

// add makes room for one more value, which is zero, and returns its index.
func (a *arena[T]) add() uint32 {
	switch i := int(a.length); {
	case i == 0:
		a.chunks, a.mapped = [][]T{make([]T, firstLength)}, []memory{nil}
	case i%chunkLength == 0:
		chunk, mapped := makeLarge[T](chunkLength)
		a.chunks, a.mapped = append(a.chunks, chunk), append(a.mapped, mapped)
	case i == len(a.chunks[0]):
		larger, mapped := makeLarge[T](2 * i)
		copy(larger, a.chunks[0])
		a.mapped[0].free()
		a.chunks[0], a.mapped[0] = larger, mapped
	}
	a.length++
	return a.length - 1
}

// release gives the memory of one chunk back, whose values may not be used any more. Chunks may be released at the
// same time.
func (a *arena[T]) release(chunk uint32) {
	a.chunks[chunk] = nil
	a.mapped[chunk].free()
	a.mapped[chunk] = nil
}

// free gives all memory back; the arena is empty then.
func (a *arena[T]) free() {
	for _, m := range a.mapped {
		m.free()
	}
	*a = arena[T]{}
}

// memory is what has to be freed by hand, nil if that is the collector's work.
type memory []byte

func (m memory) free() {
	if m != nil {
		freeMemory(m)
	}
}

// largeLength is from how many bytes on memory comes from largeMemory: below, its system calls cost more than
// they save.
const largeLength = 4 << 20

// makeLarge is make([]T, n), and the memory that has to be freed for it.
func makeLarge[T any](n int) ([]T, memory) {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	if size < largeLength {
		return make([]T, n), nil
	}
	b := largeMemory(size)
	if b == nil {
		return make([]T, n), nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), b
}
