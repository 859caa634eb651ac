package watcher

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// holderOf returns the program that has a file open or mapped for writing, and its process id. It
// sees only the processes of the same user, unless it runs as root, and returns "" and 0 when it
// finds none. It reads all of /proc, so it is for rare questions.
func holderOf(path string) (name string, pid int) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", 0 // it is gone, and so is the question
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", 0
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return "", 0 // the pattern is right, so this can't be
	}
	for _, proc := range procs {
		id, err := strconv.Atoi(filepath.Base(proc))
		if err != nil || id == os.Getpid() || !hasOpen(proc, fi) && !hasMapped(proc, st) {
			continue
		}
		comm, err := os.ReadFile(proc + "/comm")
		if err != nil {
			continue // it has just ended
		}
		return strings.TrimSpace(string(comm)), id
	}
	return "", 0
}

// hasOpen reports whether a process has a file open for writing. It is false for processes that
// may not be looked at.
func hasOpen(proc string, fi os.FileInfo) bool {
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return false
	}
	for _, fd := range fds {
		there, err := os.Stat(proc + "/fd/" + fd.Name())
		if err != nil || !os.SameFile(there, fi) {
			continue
		}
		info, err := os.ReadFile(proc + "/fdinfo/" + fd.Name())
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(info), "flags:")
		word, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		if flags, err := strconv.ParseInt(word, 8, 64); err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			return true
		}
	}
	return false
}

// hasMapped reports whether a process has a file mapped so that what it writes there goes into the
// file. It is false for processes that may not be looked at.
func hasMapped(proc string, st *syscall.Stat_t) bool {
	f, err := os.Open(proc + "/maps")
	if err != nil {
		return false
	}
	defer f.Close() // read only
	inode := strconv.FormatUint(st.Ino, 10)
	dev := fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev))
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// address perms offset dev inode path
		part := strings.Fields(lines.Text())
		if len(part) > 5 && part[4] == inode && part[3] == dev && strings.HasPrefix(part[1][1:], "w") && part[1][3] == 's' {
			return true
		}
	}
	return false
}
