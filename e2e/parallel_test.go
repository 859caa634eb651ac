//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"blendtray/api"
)

func TestTwoRunsGoOnAtTheSameTimeAndNeverTwoOfOneScript(t *testing.T) {
	p := started(t, "[runs]\nparallel = 2\n")
	meeting := t.TempDir()
	// meets is a script that waits for another one, which would come in vain for ever were the two
	// executed one after the other, and takes a second then.
	meets := func(me, other string) string {
		return fmt.Sprintf("import os, time\nopen(%q, 'w').close()\nwhile not os.path.exists(%q): time.sleep(0.01)\ntime.sleep(1)\nprint(os.getpid())",
			filepath.Join(meeting, me), filepath.Join(meeting, other))
	}
	a := p.save("a.py", meets("a", "b"))
	p.eventually("a is running", func() bool { s, _ := p.status(); return s.Running == 1 && s.Runs[0].PID != 0 })
	p.save("a.py", "print('again')")
	b := p.save("b.py", meets("b", "c"))
	var first, second api.Run
	p.eventually("both are running, each in a process of its own", func() bool {
		s, _ := p.status()
		if len(s.Runs) != 2 || s.Queued != 1 {
			return false
		}
		first, second = s.Runs[0], s.Runs[1]
		return first.Script == a && second.Script == b && second.PID != 0
	})
	for _, run := range []api.Run{first, second} {
		found := false
		s, _ := p.status()
		for _, process := range s.Processes {
			found = found || process.PID == run.PID && process.Run == run.ID
		}
		if !found {
			t.Errorf("no process executes run %s: %+v", run.ID, s.Processes)
		}
	}
	p.save("c.py", "open("+strconv.Quote(filepath.Join(meeting, "c"))+", 'w').close()")
	p.lastOf(b)
	again := p.lastOf(a)
	first, second = p.show(first.ID), p.show(second.ID)
	if first.State != api.Succeeded || second.State != api.Succeeded || again.State != api.Succeeded {
		t.Fatalf("they have ended as %+v, %+v, %+v", first, second, again)
	}
	if first.Output == second.Output {
		t.Errorf("both were in the process %s", first.Output)
	}
	from, to := *first.StartedAt, *first.FinishedAt
	if second.StartedAt.After(from) {
		from = *second.StartedAt
	}
	if second.FinishedAt.Before(to) {
		to = *second.FinishedAt
	}
	// Both have slept for a second when both were running.
	if both := to.Sub(from).Seconds(); both < 0.9 {
		t.Errorf("they were running at the same time for %v s", both)
	}
	if again.StartedAt.Before(*first.FinishedAt) {
		t.Errorf("the script ran a second time from %s on, and its first run ended at %s", again.StartedAt, first.FinishedAt)
	}
}

func TestASaveByHandRunsBeforeWhatIsLeftOfABurst(t *testing.T) {
	hand := t.TempDir()
	p := started(t, "[runs]\nisolation = \"scene\"\n[[folder]]\npath = "+strconv.Quote(hand)+"\n")
	wall := filepath.Join(t.TempDir(), "go on")
	p.save("first.py", "import os, time\nwhile not os.path.exists("+strconv.Quote(wall)+"): time.sleep(0.01)")
	p.eventually("the first is running", func() bool { s, _ := p.status(); return s.Running == 1 })
	const burst = 100
	for i := range burst {
		p.save(fmt.Sprintf("%03d.py", i), "pass")
	}
	p.eventually("the burst waits", func() bool { s, _ := p.status(); return s.Queued == burst })
	byHand := p.saveIn(hand, "mine.py", "pass")
	p.eventually("the save by hand waits", func() bool { s, _ := p.status(); return s.Queued == burst+1 })
	p.saveIn(filepath.Dir(wall), filepath.Base(wall), "")
	mine := p.lastOf(byHand)
	before := 0
	for _, run := range p.runs() {
		if run.ID != mine.ID && run.StartedAt != nil && run.StartedAt.Before(*mine.StartedAt) {
			before++
		}
	}
	if before != 1 {
		t.Errorf("%d runs began before the save by hand, want the 1 that was running", before)
	}
}
