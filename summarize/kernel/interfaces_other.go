//go:build !linux

package kernel

// uncountedHeader is how many bytes of each frame a capture has and the interface's byte counters do not; none
// is known on this system (what lo0 of macOS lacks decodeIFMIB adds).
func uncountedHeader(string) uint64 { return 0 }
