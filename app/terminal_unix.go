//go:build unix

package app

import "os"

// enableEscapes prepares a terminal for escape sequences and reports whether the terminal knows
// them.
func enableEscapes(*os.File) bool { return true }
