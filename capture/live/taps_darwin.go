package live

// taps says whether this system has packet taps.
const taps = true
