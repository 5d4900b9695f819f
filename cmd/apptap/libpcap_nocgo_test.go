//go:build !cgo

package main

// haveLibpcap says whether this build can capture.
const haveLibpcap = false
