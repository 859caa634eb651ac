//go:build !linux && !darwin && !windows

package service

import "runtime"

// New fails: how this system keeps services is not known.
func New(Spec) (Manager, error) { return nil, Fail(UnknownManager, nil, "system", runtime.GOOS) }
