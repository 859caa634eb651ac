//go:build !linux

package blender

import (
	"os"
	"slices"
	"time"

	gops "github.com/shirou/gopsutil/v4/process"
)

// identitySlack is by how much the system's clock may have been set since a process was started.
const identitySlack = time.Minute

// IsProcess returns whether a process id still stands for the process of this user that noted, at a
// time, that it runs. A process that was started later is another one. Only Linux has ticks.
func IsProcess(pid int, _ uint64, at time.Time) bool {
	p, err := gops.NewProcess(int32(pid))
	if err != nil {
		return false
	}
	if users, err := p.Uids(); err == nil && !slices.Contains(users, uint32(os.Getuid())) {
		return false
	}
	began, err := p.CreateTime() // in ms since 1970
	return err != nil || time.UnixMilli(began).Before(at.Add(identitySlack))
}
