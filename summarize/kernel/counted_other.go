//go:build !darwin

package kernel

// countedByOwners says whether the bytes of sockets are told of by who tells of their owners.
const countedByOwners = false

const interfacesMend = "mount proc on /proc"
