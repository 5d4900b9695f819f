//go:build !linux

package live

// autoBuffer is the buffer's size: these systems grant what they can, and libpcap asks for less until they do.
func autoBuffer(string) int { return bufferBytes(0, 0) }
