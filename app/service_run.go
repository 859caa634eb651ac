//go:build !windows

package app

// underServiceManager does run, which returns when stop is called. Here no manager wants more
// than a process.
func underServiceManager(run func() error, _ func()) error { return run() }

// Who may do everything here, and how one becomes that for one command.
const (
	administrator   = "root"
	asAdministrator = "sudo "
)
