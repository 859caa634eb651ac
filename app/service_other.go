//go:build !linux && !darwin && !windows

package app

import "blendtray/app/fault"

func newManager(serviceSpec) (manager, error) {
	return nil, fault.New(fault.Failed, "have the system start `blendtray serve` in its own way", "services of this system are not known here")
}
