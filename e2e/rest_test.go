//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wakings returns how many times the threads of a process have gone to sleep by themselves, and so were woken.
func wakings(t *testing.T, pid int) (sum int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("process %d does not tell how often it sleeps: %v", pid, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended since
		}
		_, rest, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:")
		count, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// An engine at rest looks at everything at the same moments, every 5 s. Each of them wakes some threads. While each
// part of the engine looked at moments of its own, there were 100 to 150 wakings in 10 s.
func TestAnEngineAtRestIsSeldomWoken(t *testing.T) {
	t.Parallel()
	const watched, most = 10 * time.Second, 60
	p := started(t, "")
	pid := p.cmd.Process.Pid
	from, began := wakings(t, pid), time.Now()
	p.eventually("nothing wakes the engine but its looks", func() bool {
		took := time.Since(began)
		if took < watched {
			return false
		}
		now := wakings(t, pid)
		few := now-from < int(most*took/watched)
		t.Logf("%d wakings in %s", now-from, took)
		from, began = now, time.Now()
		return few
	})
}
