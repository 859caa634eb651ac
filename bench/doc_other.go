//go:build !linux

// Command bench measures what Blendtray promises; it reads Linux's own accounts of processes
// and clocks, so it runs there alone.
package main

import "log"

func main() { log.Fatal("bench: only on Linux, whose clocks and process accounts it reads") }
