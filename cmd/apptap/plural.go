package main

import "fmt"

// plural is a count and its noun: "1 flow", "2 flows".
func plural[N int | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
