//go:build !linux

package kernel

// egressQueues are not known on this system.
func egressQueues() queues { return nil }
