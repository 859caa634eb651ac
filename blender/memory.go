package blender

import ps "github.com/shirou/gopsutil/v4/process"

// residentBytes returns how much memory a process has, or 0 when that can't be told.
func residentBytes(pid int) uint64 {
	p := &ps.Process{Pid: int32(pid)} // without the look at the process that NewProcess takes
	info, err := p.MemoryInfo()
	if err != nil {
		return 0 // the process has just ended
	}
	return info.RSS
}

// memoryLocked returns how much memory Blender has, or 0 when that can't be told. The process of a
// confined Blender is bubblewrap's, and Blender is one of those that it has started. It needs mu.
func (s *Supervisor) memoryLocked() uint64 {
	bytes := residentBytes(s.status.PID)
	if inst := s.current; inst != nil && inst.spec.Confined {
		for pid := range inst.proc.others() {
			bytes += residentBytes(pid)
		}
	}
	return bytes
}
