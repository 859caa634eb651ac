//go:build !windows

// Command setup does for the installer of Windows what NSIS can't: see main_windows.go.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "setup: this is a part of the installer for Windows")
	os.Exit(2)
}
