//go:build !nofarmserver

package farm_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/farm"
	"blendtray/farm/cargo"
	"blendtray/farm/files"
)

// leave has a machine leave its farm. engine is true while its worker goes on.
func (m *machine) leave(t *testing.T, now, engine bool) int {
	t.Helper()
	n, err := farm.Leave(t.Context(), farm.LeaveOptions{Membership: m.file, Leaving: m.leaving(), HeldDir: m.held, Now: now, Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hasLeft reports whether a machine has no key of a farm and is not listed any more.
func (m *machine) hasLeft(t *testing.T, c *farm.Client) bool {
	t.Helper()
	for _, path := range []string{m.file, m.leaving()} {
		found, err := filepath.Glob(filepath.Join(path, "*"))
		if _, statErr := os.Stat(path); err != nil || len(found) > 0 || path == m.file && !errors.Is(statErr, fs.ErrNotExist) {
			return false
		}
	}
	machines, err := c.Machines(t.Context())
	if err != nil {
		return false
	}
	for _, other := range machines {
		if other.Name == m.name {
			return false
		}
	}
	return true
}

func TestAMachineThatLeavesReportsFirstWhatItHas(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, script("wait"))
	if n := has.leave(t, false, true); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	eventually(t, "the farm shows that the machine leaves", func() bool {
		machines, err := c.Machines(t.Context())
		return err == nil && len(machines) == 2 && machines[0].State == "leaving"
	})
	if r := resultOf(t, c, submit(t, c, script("ok"))); r.Machine != "second" {
		t.Errorf("a machine that leaves takes a job: %+v", r)
	}
	has.end(api.Succeeded)
	if r := resultOf(t, c, job); r.State != farm.StateSucceeded || r.Machine != "first" {
		t.Errorf("%+v", r)
	}
	eventually(t, "the machine has left", func() bool { return has.hasLeft(t, c) })
	if has.timesBegun("wait") != 1 || other.timesBegun("wait") != 0 {
		t.Error("the job was begun twice")
	}
}

func TestAMachineThatLeavesReportsAlsoAfterItsEngineWasStopped(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, _, job := pair(t, h, c, script("wait"))
	has.proxy.cut()
	has.end(api.Succeeded)
	has.stop()
	if n := has.leave(t, false, false); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	has.proxy.mend()
	has.work(t, works)
	if r := resultOf(t, c, job); r.State != farm.StateSucceeded || r.Machine != "first" {
		t.Errorf("%+v", r)
	}
	eventually(t, "the machine has left", func() bool { return has.hasLeft(t, c) })
}

func TestAMachineThatGivesUpItsJobsTellsTheFarm(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, script("wait"))
	has.leave(t, false, true)
	if n := has.leave(t, true, true); n != 1 { // a person has waited long enough
		t.Errorf("it has %d jobs", n)
	}
	if r := resultOf(t, c, job); r.State != farm.StateInterrupted || !strings.Contains(r.Reason, "first has left the farm") {
		t.Errorf("%+v", r)
	}
	eventually(t, "the machine has left", func() bool { return has.hasLeft(t, c) })
	if other.timesBegun("wait") != 0 {
		t.Error("a job that must not begin again has begun again")
	}
	if _, err := farm.Leave(t.Context(), farm.LeaveOptions{Membership: has.file, Leaving: has.leaving(), HeldDir: has.held, Now: true}); !errors.Is(err, farm.ErrNotMember) {
		t.Errorf("it leaves again: %v", err)
	}
}

func TestAMachineWithoutAnEngineTellsTheFarmWhatItGivesUp(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, repeatable("wait"))
	has.stop()
	if n := has.leave(t, true, false); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	eventually(t, "the other machine has begun it", func() bool { return other.timesBegun("wait") == 1 })
	s := stateOf(t, c, job)
	if len(s.Tries) != 1 || s.Tries[0].Reason != "first has left the farm" {
		t.Errorf("%+v", s)
	}
}

// withFiles submits a job whose script is a file that is sent, and which goes on until the test ends it.
func withFiles(t *testing.T, c *farm.Client) farm.Job {
	t.Helper()
	path := filepath.Join(t.TempDir(), "make.py")
	if err := os.WriteFile(path, []byte("wait"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := files.Open(t.Context(), c.JetStream(), farm.BucketFiles)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := files.Send(t.Context(), store, []files.Source{{Name: "make.py", Path: path}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return submit(t, c, farm.Job{Kind: farm.KindScript, Name: "make.py", Tree: &list, Main: "make.py", Scene: "fresh"})
}

// madeBy writes two files as the run of a job would: a picture, and a file beside the script.
func (m *machine) madeBy(t *testing.T, job farm.Job) {
	t.Helper()
	eventually(t, "the job is running", func() bool { return m.timesBegun("wait") == 1 })
	m.mu.Lock()
	script := m.runs[0].Script
	m.mu.Unlock()
	if !filepath.IsAbs(script) {
		t.Fatalf("the run has the script %q, and a file beside it would lie in this folder", script)
	}
	beside := filepath.Join(filepath.Dir(script), "data.txt")
	picture := filepath.Join(m.attempts(), job.ID+"-1", "picture.png")
	for _, path := range []string{picture, beside} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.makes(picture, beside)
}

func TestWhatARunHasMadeOutlivesItsWorker(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(m *machine, admin *farm.Client){
		"the engine starts again": func(*machine, *farm.Client) {},
		"the machine leaves":      func(m *machine, _ *farm.Client) { m.leave(t, false, false) },
		"the machine is drained": func(_ *machine, admin *farm.Client) {
			if _, err := admin.Drain(t.Context(), "first", true); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall(t)
			admin, c := h.dial("boss", farm.Roles()...), h.dial("desk", farm.RoleSubmit)
			m := h.machine("first", works)
			job := withFiles(t, c)
			m.madeBy(t, job)
			m.proxy.cut()
			m.end(api.Succeeded)
			m.stop()
			between(m, admin)
			m.proxy.mend()
			m.work(t, works)
			r := resultOf(t, c, job)
			if r.State != farm.StateSucceeded || len(r.Outputs) != 2 {
				t.Fatalf("%+v", r)
			}
			dir := t.TempDir()
			store, err := files.Open(t.Context(), c.JetStream(), farm.BucketFiles)
			if err != nil {
				t.Fatal(err)
			}
			if err := cargo.Fetch(t.Context(), store, job, r.Outputs, dir); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"picture.png", "data.txt"} {
				if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != name {
					t.Errorf("%s is %q: %v", name, text, err)
				}
			}
			eventually(t, "nothing of the attempt is left on the machine", func() bool {
				left, err := os.ReadDir(m.attempts())
				beside, _ := filepath.Glob(filepath.Join(m.dir, "files", "trees", "*", "data.txt"))
				return err == nil && len(left)+len(beside) == 0
			})
		})
	}
}

func TestAJobIsToldThatWhatItsRunHasMadeIsLost(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	m := h.machine("first", works)
	job := withFiles(t, c)
	m.madeBy(t, job)
	m.proxy.cut()
	m.end(api.Succeeded)
	m.stop()
	if err := os.RemoveAll(m.attempts()); err != nil { // somebody empties the cache
		t.Fatal(err)
	}
	m.proxy.mend()
	m.work(t, works)
	if r := resultOf(t, c, job); r.State != farm.StateInterrupted || !strings.Contains(r.Reason, "lost") {
		t.Errorf("%+v", r)
	}
}

func TestARunThatTheHistoryHasLostIsNotBegunAgain(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	m := h.machine("first", works)
	job := submit(t, c, script("wait"))
	eventually(t, "the job is running", func() bool { return stateOf(t, c, job).Run != "" })
	m.stop()
	m.mu.Lock()
	m.runs = nil // as when the database was removed
	m.mu.Unlock()
	m.work(t, works)
	if r := resultOf(t, c, job); r.State != farm.StateInterrupted || !strings.Contains(r.Reason, "history") {
		t.Errorf("%+v", r)
	}
	if m.timesBegun("wait") != 1 {
		t.Errorf("it was begun %d times", m.timesBegun("wait"))
	}
}
