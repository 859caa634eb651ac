// Command unit prints the systemd user unit for a program that a package has installed. The unit
// has no mark, so `blendtray service uninstall` leaves it to the package.
//
// Usage: go run ./packaging/unit /usr/bin/blendtray
package main

import (
	"fmt"
	"os"
	"strings"

	"blendtray/packaging"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: unit PROGRAM")
		os.Exit(2)
	}
	text, err := packaging.Systemd(packaging.Service{Program: os.Args[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, "unit:", err)
		os.Exit(1)
	}
	first, rest, _ := strings.Cut(text, "\n")
	if !strings.Contains(first, packaging.Mark) {
		fmt.Fprintln(os.Stderr, "unit: the mark is not in the first line")
		os.Exit(1)
	}
	fmt.Print("# `systemctl --user enable --now blendtray` has it start at login.\n" + rest)
}
