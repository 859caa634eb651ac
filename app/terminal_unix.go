//go:build unix

package app

import "os"

// enableEscapes readies a terminal for escape sequences and tells whether it knows them.
func enableEscapes(*os.File) bool { return true }
