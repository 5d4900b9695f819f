package main

import (
	"fmt"
	"slices"

	"github.com/spf13/pflag"
)

// emptyFlags refuses flags that are given with nothing in them, as by a shell variable that is not set: taken as not given they would
// start a capture without an end, or without its recording. An empty filter is tcpdump's for every packet.
func emptyFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) { // those that were given
		if err != nil || f.Name == "filter" {
			return
		}
		empty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
		}
		if empty {
			want, _ := pflag.UnquoteUsage(f)
			err = usageError("%s \"\": want %s", spelling(f), want)
		}
	})
	return err
}

// spelling is a flag as help lists it.
func spelling(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return fmt.Sprintf("-%s, --%s", f.Shorthand, f.Name)
	}
	return "--" + f.Name
}
