package blender

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc/PID/stat on all architectures that the program is built for.
const tick = time.Second / 100

// families returns the processes of each Blender, itself included.
func families(leaders []int) map[int][]int {
	all, leaderOf := map[int][]int{}, map[kin]int{}
	var kinless []int
	own := kinOf(os.Getpid()) // this engine may itself have been started by a script
	for _, pid := range leaders {
		if k := kinOf(pid); k >= leastKin && k != own {
			leaderOf[k] = pid
			all[pid] = []int{}
		} else {
			kinless = append(kinless, pid)
		}
	}
	listed := processes()
	if len(leaderOf) > 0 {
		for _, pid := range listed {
			if leader, ok := leaderOf[kinOf(pid)]; ok {
				all[leader] = append(all[leader], pid)
			}
		}
	}
	if len(kinless) > 0 {
		parents := map[int]int{}
		for _, pid := range listed {
			if fields := statOf(pid); fields != nil {
				parents[pid] = int(fields.number(4))
			}
		}
		for leader, members := range withDescendants(kinless, parents) {
			all[leader] = members
		}
	}
	return all
}

// kinOf returns the number that a process carries: one below leastKin or the highest is no kin.
func kinOf(pid int) kin {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit) != nil || limit.Max == unix.RLIM_INFINITY {
		return 0
	}
	return kin(limit.Max)
}

// stat are the fields of /proc/PID/stat from the third on; the name before may have spaces.
type stat [][]byte

// statOf returns the fields of a process, or nil when it is gone.
func statOf(pid int) stat {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 24-2 {
		return nil
	}
	return fields
}

// number returns a field by its number in proc(5), or 0 for what is no number.
func (s stat) number(field int) uint64 {
	n, _ := strconv.ParseUint(string(s[field-3]), 10, 64) // children's times may be -1 in theory
	return n
}

// lookAt measures one process. ok is false when it is gone.
func lookAt(pid int) (s seen, ok bool) {
	fields := statOf(pid)
	if fields == nil {
		return seen{}, false
	}
	var sinceBoot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &sinceBoot) == nil {
		s.age = max(0, time.Duration(sinceBoot.Nano())-time.Duration(fields.number(22))*tick)
	}
	s.began = startTime(fields.number(22))
	s.own = time.Duration(fields.number(14)+fields.number(15)) * tick
	s.children = time.Duration(fields.number(16)+fields.number(17)) * tick
	s.memory = fields.number(24) * uint64(os.Getpagesize())
	return s, true
}
