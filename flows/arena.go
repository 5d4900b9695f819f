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
	mapped [][]byte
}

func (a *arena[T]) at(i uint32) *T { return &a.chunks[i/chunkLength][i%chunkLength] }

// add makes room for one more value, which is zero, and returns its index.
func (a *arena[T]) add() uint32 {
	switch i := int(a.length); {
	case i == 0:
		a.chunks = [][]T{make([]T, firstLength)}
	case i%chunkLength == 0:
		a.chunks = append(a.chunks, makeLarge[T](chunkLength, &a.mapped))
	case i == len(a.chunks[0]):
		larger := makeLarge[T](2*i, &a.mapped)
		copy(larger, a.chunks[0])
		a.chunks[0] = larger
	}
	a.length++
	return a.length - 1
}

// free gives the memory back; the arena is empty then.
func (a *arena[T]) free() {
	for _, b := range a.mapped {
		freeMemory(b)
	}
	*a = arena[T]{}
}

// largeLength is from how many bytes on memory comes from largeMemory: below, its system calls cost more than
// they save.
const largeLength = 4 << 20

// makeLarge is make([]T, n), and notes in mapped what has to be freed by hand.
func makeLarge[T any](n int, mapped *[][]byte) []T {
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	if size < largeLength {
		return make([]T, n)
	}
	b := largeMemory(size)
	if b == nil {
		return make([]T, n)
	}
	*mapped = append(*mapped, b)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
