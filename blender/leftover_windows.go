package blender

import (
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// startTime is the time when a process was started, in ns since 1970.
type startTime int64

// nowStart returns the start time of a process that is started now.
func nowStart() startTime { return startTime(time.Now().UnixNano()) }

// note returns "": the system itself ends the processes of an engine that was killed.
func (group) note() string { return "" }

// killKinOf does nothing, for the same reason.
func killKinOf(string) {}

// maxListed is how many processes of a job are looked at, at most.
const maxListed = 4096

// killOthers kills the processes of the job that were started since a time.
func (g group) killOthers(since startTime) {
	if g.job == 0 {
		return
	}
	for _, pid := range g.processes() {
		killIfSince(pid, since)
	}
}

// processes returns the process ids of the processes in the job.
func (g group) processes() []uint32 {
	var list struct {
		assigned, listed uint32
		pids             [maxListed]uintptr
	}
	// A list that is too short holds as many processes as fit into it.
	_ = windows.QueryInformationJobObject(g.job, windows.JobObjectBasicProcessIdList,
		uintptr(unsafe.Pointer(&list)), uint32(unsafe.Sizeof(list)), nil)
	var pids []uint32
	for _, pid := range list.pids[:min(list.listed, maxListed)] {
		pids = append(pids, uint32(pid))
	}
	return pids
}

// killIfSince kills a process that was started since a time.
func killIfSince(pid uint32, since startTime) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return // the process has ended
	}
	defer windows.CloseHandle(process)
	var began, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(process, &began, &ended, &kernel, &user) == nil && startTime(began.Nanoseconds()) >= since {
		_ = windows.TerminateProcess(process, 1) // the process has ended
	}
}
