//go:build !linux

package app

// niceness returns 0, which is how nice tests are by default.
func niceness() int { return 0 }
