//go:build !windows

package service

import "time"

// Run calls run, which returns after stop is called. On this system a service manager wants
// nothing more of the process than that.
func Run(run func() error, _ func(), _ func() time.Duration) error { return run() }

// The user who may change services of the machine, and how a person becomes that user for one
// command.
const (
	administrator       = "root"
	asAdministrator     = "sudo "
	becomeAdministrator = "put sudo before the command"
)
