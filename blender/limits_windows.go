package blender

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// limit sets limits for the processes of the job. It returns what [process.limit] returns.
func (g group) limit(l Limits) (undo func() bool) {
	if g.job == 0 {
		return func() bool { return true }
	}
	info := jobLimits()
	basic := &info.BasicLimitInformation
	if l.Memory > 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_JOB_MEMORY
		info.JobMemoryLimit = uintptr(l.Memory)
	}
	if l.Processes > 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
		basic.ActiveProcessLimit = uint32(len(g.processes()) + l.Processes)
	}
	if l.Nice > 0 {
		basic.LimitFlags |= windows.JOB_OBJECT_LIMIT_PRIORITY_CLASS
		basic.PriorityClass = windows.BELOW_NORMAL_PRIORITY_CLASS
		if l.Nice >= 10 {
			basic.PriorityClass = windows.IDLE_PRIORITY_CLASS
		}
	}
	_ = setJobLimits(g.job, info) // a limit that can't be set is left out
	return func() bool {
		if l.Nice > 0 {
			// The processes keep their priority when the limit is removed, so it is set to normal
			// first.
			normal := jobLimits()
			normal.BasicLimitInformation.LimitFlags |= windows.JOB_OBJECT_LIMIT_PRIORITY_CLASS
			normal.BasicLimitInformation.PriorityClass = windows.NORMAL_PRIORITY_CLASS
			if setJobLimits(g.job, normal) != nil {
				return false
			}
		}
		return setJobLimits(g.job, jobLimits()) == nil
	}
}

// jobLimits returns the limits of a job that bounds nothing and that ends when its last handle is
// closed. A process that crashes ends at once: without the second flag the system's error reporting
// may hold the process for as long as a person looks at a message.
func jobLimits() windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
	return windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{
			LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
		},
	}
}

func setJobLimits(job windows.Handle, limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION) error {
	_, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	return err
}
