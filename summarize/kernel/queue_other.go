//go:build !linux

package kernel

// egressQueues are not known on this system.
func egressQueues() map[uint32]queue { return nil }
