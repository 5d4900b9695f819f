package main

import (
	"hash/crc32"
	"os"
	"slices"
	"strconv"

	"apptap/capture"
)

// lossyMain is apptap whose capture loses a share of the packets, in hundredths in APPTAP_LOSE, and says so as the kernel says
// what it dropped. Which packets their bytes decide.
func lossyMain() {
	share, err := strconv.Atoi(os.Getenv("APPTAP_LOSE"))
	if err != nil {
		panic(err)
	}
	through := func(s capture.Source) capture.Source { return &lossySource{Source: s, share: uint32(share)} }
	os.Exit(runWith(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr, through}))
}

type lossySource struct {
	capture.Source
	share uint32
	lost  uint64
}

func (l *lossySource) Next(p *capture.Packet) error {
	for {
		if err := l.Source.Next(p); err != nil || crc32.ChecksumIEEE(p.Data)%100 >= l.share {
			return err
		}
		l.lost++
	}
}

// Buffered is the wrapped source's.
func (l *lossySource) Buffered() bool {
	ahead, ok := l.Source.(interface{ Buffered() bool })
	return ok && ahead.Buffered()
}

// Stop is the wrapped source's; without it the run would end after a quiet while.
func (l *lossySource) Stop() {
	if s, ok := l.Source.(interface{ Stop() }); ok {
		s.Stop()
	}
}

func (l *lossySource) Stats() capture.Stats {
	s := l.Source.Stats()
	s.DroppedKernel += l.lost
	return s
}

// Interfaces has the loss at the only interface of a live source.
func (l *lossySource) Interfaces() []capture.Interface {
	list := slices.Clone(l.Source.Interfaces())
	list[0].Stats.DroppedKernel += l.lost
	return list
}
