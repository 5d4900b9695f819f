package kernel

// countedByOwners says whether the bytes of sockets are told of by who tells of their owners: one control of the kernel has both
// (pidmap, ntstat).
const countedByOwners = true

const interfacesMend = "report this with the version of macOS"
