//go:build !linux

package service

import "time"

// bounded calls do, which may never return. It fails with [ManagerTimedOut] after
// managerTimeout; facts are those of that failure.
func bounded(do func() error, facts ...string) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(managerTimeout):
		return Fail(ManagerTimedOut, nil, append(facts, "time", managerTimeout.String())...)
	}
}
