//go:build !linux

// Command bench measures what Blendtray promises. It runs only on Linux, because it reads Linux's
// accounts of processes and its clocks.
package main

import "log"

func main() { log.Fatal("bench: it runs only on Linux, whose clocks and process accounts it reads") }
