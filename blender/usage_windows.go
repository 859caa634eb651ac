package blender

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// families returns the processes of each Blender, itself included.
func families(leaders []int) map[int][]int {
	parents := map[int]int{}
	if snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0); err == nil {
		defer windows.CloseHandle(snapshot)
		entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
		for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
			parents[int(entry.ProcessID)] = int(entry.ParentProcessID)
		}
	}
	return withDescendants(leaders, parents)
}
