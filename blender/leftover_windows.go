package blender

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// startTime is the time when a process was started, in ns since 1970.
type startTime int64

// note returns "": the system itself ends the processes of an engine that was killed.
func (group) note() string { return "" }

// killKinOf does nothing, for the same reason.
func killKinOf(string) {}

// maxListed is how many processes of a job are looked at, at most.
const maxListed = 4096

// others returns the processes of the job that are running.
func (g group) others() running {
	list := running{}
	if g.job == 0 {
		return list
	}
	for _, pid := range g.processes() {
		withProcess(pid, func(_ windows.Handle, began startTime) { list[int(pid)] = began })
	}
	return list
}

// killOthers kills the processes of the job that are not in the list.
func (g group) killOthers(spared running) {
	if g.job == 0 {
		return
	}
	for _, pid := range g.processes() {
		withProcess(pid, func(process windows.Handle, began startTime) {
			// Its number may belong to a process that is not in the job by now.
			if !spared.has(int(pid), began) && g.has(process) {
				_ = windows.TerminateProcess(process, 1) // the process has ended
			}
		})
	}
}

// has returns whether the job has a process.
func (g group) has(process windows.Handle) bool {
	var is int32
	ok, _, _ := isProcessInJob.Call(uintptr(process), uintptr(g.job), uintptr(unsafe.Pointer(&is)))
	return ok != 0 && is != 0
}

var isProcessInJob = windows.NewLazySystemDLL("kernel32.dll").NewProc("IsProcessInJob")

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

// withProcess calls a function with a process and the time when the process was started, unless the
// process has ended.
func withProcess(pid uint32, do func(process windows.Handle, began startTime)) {
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return
	}
	defer windows.CloseHandle(process)
	var began, ended, kernel, user windows.Filetime
	if windows.GetProcessTimes(process, &began, &ended, &kernel, &user) == nil {
		do(process, startTime(began.Nanoseconds()))
	}
}
