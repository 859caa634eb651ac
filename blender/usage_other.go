//go:build !linux

package blender

import (
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
)

// lookAt measures one process. ok is false when it is gone, or belongs to somebody else. These systems do
// not tell what children took that have ended.
func lookAt(pid int) (s seen, ok bool) {
	p := &ps.Process{Pid: int32(pid)} // without the look at the process that NewProcess takes
	created, err := p.CreateTime()
	if err != nil {
		return seen{}, false
	}
	memory, err := p.MemoryInfo()
	if err != nil {
		return seen{}, false
	}
	times, err := p.Times()
	if err != nil {
		return seen{}, false
	}
	s.began, s.memory = startTime(created), memory.RSS
	s.age = max(0, time.Since(time.UnixMilli(created)))
	s.own = time.Duration((times.User + times.System) * float64(time.Second))
	return s, true
}
