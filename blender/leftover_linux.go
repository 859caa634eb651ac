package blender

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// kin is a number that a Blender and all its descendants carry, 0 where there is none. It is the
// limit of file locks: the kernel hands that limit down to each new process and has not used it
// since Linux 2.4. A process keeps the number when it leaves its group, its session, its parent and
// its environment.
type kin uint64

// leastKin is less than each such number, and more than every limit that somebody would set.
const leastKin = 1 << 40

// markKin gives a number to a process that has no children yet, and so to its descendants. It
// returns the number, or 0 when there is none.
func markKin(pid int) kin {
	var limit unix.Rlimit
	if unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit) != nil {
		return 0
	}
	// Without privileges the limit can only be lowered: a script may itself run an engine, and the
	// number of that engine's Blender must be lower.
	highest := min(limit.Max, 1<<62)
	if highest < 2*leastKin {
		return 0
	}
	var random [8]byte
	rand.Read(random[:]) // never fails
	number := highest - 1 - binary.NativeEndian.Uint64(random[:])%(highest/2)
	if unix.Prlimit(pid, unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: number, Max: number}, nil) != nil {
		return 0
	}
	return kin(number)
}

// String returns the text by which a later engine finds the processes.
func (k kin) String() string { return strconv.FormatUint(uint64(k), 10) }

// killKinOf kills the processes that a killed engine has left; text is the result of [kin.String].
func killKinOf(text string) {
	if number, err := strconv.ParseUint(text, 10, 64); err == nil {
		kin(number).kill(0, nil)
	}
}

// kill kills the processes that carry the number, except one process and those that are in the list.
// It looks again until it finds none: a process that has received the signal starts no more
// processes.
func (k kin) kill(except int, spared running) {
	if k < leastKin {
		return
	}
	killed := map[int]bool{except: true, os.Getpid(): true}
	for again := true; again; {
		again = false
		for _, pid := range processes() {
			if killed[pid] || !k.has(pid) || spared.has(pid, startedAt(pid)) {
				continue
			}
			killed[pid], again = true, true
			process, err := os.FindProcess(pid) // it stands for the process, even if another gets its number
			if err != nil {
				continue // it has just ended
			}
			if k.has(pid) {
				_ = process.Kill() // it has ended
			}
			_ = process.Release()
		}
	}
}

func (k kin) has(pid int) bool {
	var limit unix.Rlimit
	return unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &limit) == nil && limit.Max == uint64(k)
}

// processes returns the process ids of all processes that can be seen.
func processes() []int {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1) // what could be read is used
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// startTime is the time when a process was started, in the unit of /proc: ticks since the start of
// the machine, a hundred a second.
type startTime uint64

// startedAt returns when a process was started, 0 for a process that is gone.
func startedAt(pid int) startTime {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const after = 22 - 3 // the place of the time among the fields after the name, which may have spaces
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= after {
		return 0
	}
	at, _ := strconv.ParseUint(string(fields[after]), 10, 64) // the field is a number
	return startTime(at)
}

// others returns the descendants of the leader that are running.
func (g group) others() running {
	list := running{}
	if g.kin < leastKin {
		return list
	}
	for _, pid := range processes() {
		if pid != g.id && g.kin.has(pid) {
			list[pid] = startedAt(pid)
		}
	}
	return list
}

// killOthers kills the descendants of the leader that are not in the list.
func (g group) killOthers(spared running) { g.kin.kill(g.id, spared) }
