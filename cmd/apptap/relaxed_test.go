package main

import (
	"context"
	"testing"

	"apptap/internal/pipeline"
	"apptap/pidmap"
)

// looking is a source of ownership that looks at sockets.
type looking struct{}

func (looking) Run(context.Context, func([]pidmap.Event)) error { return nil }
func (looking) Wake()                                           {}
func (looking) Scan(context.Context) ([]pidmap.Event, error)    { return nil, nil }

// telling is one that may be told by the kernel.
type telling struct {
	looking
	told bool
}

func (t telling) Told() bool { return t.told }

func TestRelaxed(t *testing.T) {
	tests := []struct {
		name   string
		owners pipeline.Owners
		want   bool
	}{
		{"nobody asks", nil, true}, {"looks", looking{}, false}, {"would be told", telling{told: false}, false}, {"told", telling{told: true}, true},
	}
	for _, tt := range tests {
		if got := relaxed(tt.owners); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
