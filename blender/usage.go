package blender

import (
	"os"
	"time"
)

// What a Blender takes of the machine is measured from outside, by its process id, with all that its
// scripts have started: on Linux all descendants, also those that have left its group (see kin); on macOS
// its group and its descendants; on Windows its descendants. Of a Blender that a person has open, it is
// the descendants everywhere.

// Measured is what a process and the processes that it has started had taken at one moment.
type Measured struct {
	// MemoryBytes is the resident memory (RSS), added up: memory that processes share counts in each. The
	// proportional share (PSS) would not count it twice, but the kernel walks through all pages for it,
	// which takes 1 ms for each 100 MB and keeps the process from getting memory meanwhile.
	MemoryBytes uint64
	// Processes is how many processes were added up.
	Processes int

	age   time.Duration // for how long the first process has been there
	began startTime     // of the first process
	spent map[member]spent
}

// member is one of the processes; the time tells it from a later process with the same id.
type member struct {
	pid   int
	began startTime
}

// spent is the time for which a process was executed: itself, and those of its children that have ended
// and were waited for, as far as the system tells.
type spent struct{ own, children time.Duration }

// seen is what a look at one process says.
type seen struct {
	began  startTime
	age    time.Duration
	memory uint64
	spent
}

// Measure measures the processes with these ids and all that they have started. Those that are gone are
// not in what it returns.
func Measure(pids []int) map[int]Measured {
	all := map[int]Measured{}
	for leader, members := range families(pids) {
		first, there := lookAt(leader)
		if !there {
			continue
		}
		m := Measured{age: first.age, began: first.began, spent: map[member]spent{}}
		m.add(leader, first)
		for _, pid := range members {
			// An older process has the id of a parent that is gone.
			if s, there := lookAt(pid); there && pid != leader && s.began >= first.began {
				m.add(pid, s)
			}
		}
		all[leader] = m
	}
	return all
}

// MeasureSelf measures this process, without those that it has started. ok is false where the system does
// not tell.
func MeasureSelf() (m Measured, ok bool) {
	s, ok := lookAt(os.Getpid())
	if !ok {
		return Measured{}, false
	}
	s.children = 0 // these are Blenders that have ended
	m = Measured{age: s.age, began: s.began, spent: map[member]spent{}}
	m.add(os.Getpid(), s)
	return m, true
}

func (m *Measured) add(pid int, s seen) {
	m.MemoryBytes += s.memory
	m.Processes++
	m.spent[member{pid, s.began}] = s.spent
}

// Same reports whether two measurements are of the same process, and not of two that had the same id one
// after the other.
func (m Measured) Same(other Measured) bool { return m.began == other.began }

// Spent returns for how long the processes were executed since an earlier measurement of them, which was
// interval ago. Where there is none, that is known only of a process that has been started since, and 0
// for others.
//
// What a child has taken that has ended is seen in the time of its parent, which waited for it. Of what
// the parent got so, only that is new which was not seen in the child before.
func (m Measured) Spent(before Measured, interval time.Duration) time.Duration {
	if !m.Same(before) {
		if m.age > interval {
			return 0
		}
		before = Measured{}
	}
	var own, inherited, known time.Duration
	for who, now := range m.spent {
		then := before.spent[who]
		own += max(0, now.own-then.own)
		inherited += max(0, now.children-then.children)
	}
	for who, then := range before.spent {
		if _, there := m.spent[who]; !there {
			known += then.own + then.children
		}
	}
	return own + max(0, inherited-known)
}

// Age returns for how long the first process had been there.
func (m Measured) Age() time.Duration { return m.age }

// withDescendants adds to each process in a list all that it has started, directly or not. parents has the
// parent of each process of the machine.
func withDescendants(of []int, parents map[int]int) map[int][]int {
	children := map[int][]int{}
	for pid, parent := range parents {
		if pid != parent {
			children[parent] = append(children[parent], pid)
		}
	}
	all := map[int][]int{}
	for _, leader := range of {
		found, listed := []int{leader}, map[int]bool{leader: true}
		for i := 0; i < len(found); i++ {
			for _, child := range children[found[i]] {
				if !listed[child] { // ids that were used again can make a ring
					listed[child] = true
					found = append(found, child)
				}
			}
		}
		all[leader] = found
	}
	return all
}
