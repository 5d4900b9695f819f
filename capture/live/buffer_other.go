//go:build !linux

package live

// autoBuffer is the buffer's size: where these systems have no room for it, less is asked for (lessBuffer).
func autoBuffer(string) int { return bufferBytes(0, 0) }
