// Package archtest answers whether the module still has the shape that docs/architecture.md draws:
// which room may import which, where a third-party package may be used, and what no room may do.
// It is all tests; nothing imports it. It parses the imports of every .go file, whatever its build
// tags, so that an arrow in a _darwin file is seen on Linux too.
package archtest
