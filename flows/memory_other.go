//go:build !linux

package flows

// largeMemory is nil: where no huge pages can be wished for, the Go heap does as well.
func largeMemory(int) []byte { return nil }

func freeMemory([]byte) {}
