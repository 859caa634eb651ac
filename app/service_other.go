//go:build !linux && !darwin && !windows

package app

func newManager(serviceSpec) (manager, error) {
	return nil, fail(exitFailed, "have the system start `blendtray serve` in its own way", "services of this system are not known here")
}
