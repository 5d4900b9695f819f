package live

import (
	"strconv"
	"strings"
	"time"
)

const (
	// bufferedTime is how long a reader may not be scheduled while frames arrive as fast as the link has them.
	bufferedTime = 50 * time.Millisecond
	// memoryShare is the part of the machine's memory that one interface's buffer may take: the kernel cannot swap it.
	memoryShare    = 64
	leastBuffer    = 2 << 20 // libpcap's default
	mostBuffer     = 256 << 20
	bitsPerMegabit = 1_000_000
)

// bufferBytes is the size of the capture buffer of an interface: at least DefaultBufferBytes, more where the link is
// fast, less where memory is short. Zero means not known. Fast is what the link can do, not what it does: a ring cannot
// grow while it is in use.
func bufferBytes(memory, bitsPerSecond uint64) int {
	bytes := max(DefaultBufferBytes, bitsPerSecond/8/uint64(time.Second/bufferedTime))
	if memory > 0 {
		bytes = max(leastBuffer, min(bytes, memory/memoryShare))
	}
	const mebibyte = 1 << 20
	return int(min(bytes, mostBuffer) &^ (mebibyte - 1))
}

// lessBuffer is the size to try next where words, libpcap's, say that the kernel had no room for a buffer of so many bytes. With a size
// that it is told libpcap does not try less itself (pcap-bpf.c, bpf_bind), and a Mac may want two of each size in one piece.
func lessBuffer(words string, bytes int) (less int, ok bool) {
	words = strings.ToLower(words)
	short := strings.Contains(words, "buffer size") || strings.Contains(words, "cannot allocate memory") || strings.Contains(words, "no buffer space")
	return bytes / 2, short && bytes/2 >= leastBuffer/4
}

// parseSpeed reads /sys/class/net/NAME/speed: megabits a second, -1 where nobody knows.
func parseSpeed(text string) uint64 {
	megabits, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || megabits < 0 || megabits > 1<<32 {
		return 0
	}
	return uint64(megabits) * bitsPerMegabit
}
