package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// maxSlot is from which size on a file of journals is not used again, in bytes.
const maxSlot = 64 << 10

// slots are files in which journals of runs stand one behind the other. To make and to remove a file
// costs more than a short run, and now and then waits for the disk. The engine writes a line with the
// id of the run before it sends the run, and what follows is the run's journal.
type slots struct {
	dir string

	mu   sync.Mutex
	free []*slot
	made int
}

// slot is a file for journals. One run at a time has it.
type slot struct {
	path string
	file *os.File
	size int64 // the end of what was read or written
}

// slotPrefix is what the names of these files begin with.
const slotPrefix = "slot-"

// runLine is what the line begins with that says whose journal follows.
const runLine = "run "

// take returns a file with the line of a run at its end.
func (s *slots) take(id int64) (*slot, error) {
	s.mu.Lock()
	var sl *slot
	if n := len(s.free); n > 0 {
		sl, s.free = s.free[n-1], s.free[:n-1]
	}
	s.made++
	name := fmt.Sprintf("%s%d-%d", slotPrefix, os.Getpid(), s.made)
	s.mu.Unlock()
	if sl == nil {
		path := filepath.Join(s.dir, name)
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		sl = &slot{path: path, file: f}
	}
	line := strconv.AppendInt([]byte(runLine), id, 10)
	n, err := sl.file.WriteAt(append(line, '\n'), sl.size)
	if err != nil {
		sl.remove() // what follows would belong to an earlier run
		return nil, err
	}
	sl.size += int64(n)
	return sl, nil
}

// give makes a file free for other runs.
func (s *slots) give(sl *slot) {
	if sl.size >= maxSlot || !sl.isThere() {
		sl.remove()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, sl)
}

// close removes the files that no run has.
func (s *slots) close() {
	s.mu.Lock()
	free := s.free
	s.free = nil
	s.mu.Unlock()
	for _, sl := range free {
		sl.remove()
	}
}

// remove closes and removes the file. The next start of the engine removes what stays.
func (sl *slot) remove() {
	_ = sl.file.Close() // Windows removes no file that is open
	_ = os.Remove(sl.path)
}

// isThere reports whether the file still has its name: a Blender that can't write into it takes
// the name away.
func (sl *slot) isThere() bool {
	open, err := sl.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(sl.path)
	return err == nil && os.SameFile(open, named)
}

// slotOf is where the journal of a run begins in a file that an earlier engine has left.
type slotOf struct {
	path string
	at   int64
}

// leftSlots returns the last journals of the files that an earlier engine has left in a folder, by the
// ids of their runs. The runs before the last of a file have ended, and their ends were written down.
func leftSlots(dir string) map[int64]slotOf {
	found := map[int64]slotOf{}
	paths, _ := filepath.Glob(filepath.Join(dir, slotPrefix+"*")) // it fails for a wrong pattern alone
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for at := 0; at < len(text); {
			line, _, whole := bytes.Cut(text[at:], []byte("\n"))
			if !whole {
				break
			}
			at += len(line) + 1
			if rest, ok := strings.CutPrefix(string(line), runLine); ok {
				if id, err := strconv.ParseInt(rest, 10, 64); err == nil {
					for other, of := range found {
						if of.path == path {
							delete(found, other)
						}
					}
					found[id] = slotOf{path, int64(at)}
				}
			}
		}
	}
	return found
}
