//go:build !nofarmserver

package farm_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/farm"
)

// These tests are the rows of the table of failures in docs/farm.md.

// pair starts two machines of which the first has the job.
func pair(t *testing.T, h *hall, c *farm.Client, job farm.Job) (has, other *machine, made farm.Job) {
	t.Helper()
	has = h.machine("first", works)
	made = submit(t, c, job)
	eventually(t, "the first machine has the job", func() bool { return has.timesBegun(job.Name) == 1 })
	eventually(t, "the farm shows who has the job", func() bool { return stateOf(t, c, made).Machine == "first" })
	return has, h.machine("second", works), made
}

func TestACrashedBlenderGoesToAnotherMachineWhereItMay(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, repeatable("wait"))
	has.end(api.Crashed)
	eventually(t, "the other machine has begun it", func() bool { return other.timesBegun("wait") == 1 })
	other.end(api.Succeeded)
	r := resultOf(t, c, job)
	if r.State != farm.StateSucceeded || r.Machine != "second" || len(r.Tries) != 1 || r.Tries[0].Machine != "first" || r.Tries[0].Log != "hello\n" {
		t.Errorf("%+v", r)
	}
	if r := resultOf(t, c, submit(t, c, script("crash"))); r.State != farm.StateCrashed || len(r.Tries) != 0 {
		t.Errorf("a job that must not be repeated: %+v", r)
	}
}

func TestAPoisonJobStopsAfterThreeMachines(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	all := []*machine{h.machine("a", works), h.machine("b", works), h.machine("c", works), h.machine("d", works)}
	r := resultOf(t, c, submit(t, c, repeatable("crash")))
	on := map[string]bool{}
	for _, try := range r.Tries {
		on[try.Machine] = true
		if try.Log != "hello\n" {
			t.Errorf("the log of %s is %q", try.Machine, try.Log)
		}
	}
	if r.State != farm.StateCrashed || len(r.Tries) != 3 || len(on) != 3 || !strings.Contains(r.Reason, "tried 3 times") {
		t.Errorf("%+v", r)
	}
	begun := 0
	for _, m := range all {
		begun += m.timesBegun("crash")
	}
	if begun != 3 {
		t.Errorf("it was begun %d times", begun)
	}
}

func TestAJobThatCannotBeginSomewhereGoesElsewhere(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	h.machine("a", works)
	r := resultOf(t, c, submit(t, c, script("refuse"))) // no machine can, not even in five attempts
	if r.State != farm.StateFailed || len(r.Tries) != 5 || !strings.Contains(r.Reason, "no such Blender") {
		t.Errorf("%+v", r)
	}
	// A full disk: the machine can't write down that it has the job.
	full := h.machine("full", works)
	h.machine("other", works)
	if err := os.WriteFile(full.held, nil, 0o600); err != nil { // a file where the folder belongs
		t.Fatal(err)
	}
	for i := range 6 {
		if r := resultOf(t, c, submit(t, c, script(fmt.Sprint("ok ", i)))); r.State != farm.StateSucceeded || r.Machine == "full" {
			t.Errorf("%+v", r)
		}
	}
}

func TestAWorkerThatStartsAgainReportsTheEndOfItsRun(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, script("wait"))
	has.proxy.cut() // so that it reports nothing
	has.end(api.Succeeded)
	has.stop()
	eventually(t, "the farm knows that the machine is gone", func() bool { return stateOf(t, c, job).State == farm.StateInterrupted })
	has.proxy.mend()
	has.work(t, works)
	if r := resultOf(t, c, job); r.State != farm.StateSucceeded || r.Machine != "first" {
		t.Errorf("%+v", r)
	}
	if has.timesBegun("wait") != 1 || other.timesBegun("wait") != 0 {
		t.Errorf("begun %d and %d times", has.timesBegun("wait"), other.timesBegun("wait"))
	}
}

func TestARunThatItsEngineFindsCutOffIsInterrupted(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, script("wait"))
	has.proxy.cut()
	has.end(api.Interrupted) // as the engine says after its next start
	has.stop()
	has.proxy.mend()
	has.work(t, works)
	if r := resultOf(t, c, job); r.State != farm.StateInterrupted || r.Run == nil {
		t.Errorf("%+v", r)
	}
	if other.timesBegun("wait") != 0 {
		t.Error("another machine has begun it")
	}
}

func TestAMachineThatIsGoneLosesWhatMayBeRepeated(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, repeatable("wait"))
	has.proxy.cut() // and its run goes on
	eventually(t, "the other machine has begun it", func() bool { return other.timesBegun("wait") == 1 })
	has.proxy.mend()
	eventually(t, "the machine that is back has cancelled its run", func() bool {
		has.mu.Lock()
		defer has.mu.Unlock()
		return has.runs[0].State == api.Cancelled
	})
	other.end(api.Succeeded)
	r := resultOf(t, c, job)
	if r.State != farm.StateSucceeded || r.Machine != "second" || len(r.Tries) != 1 || !strings.Contains(r.Tries[0].Reason, "no sign of life") {
		t.Errorf("%+v", r)
	}
}

func TestAJobThatMustNotBeRepeatedIsInterruptedUntilItsMachineIsBack(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, script("wait"))
	has.proxy.cut()
	eventually(t, "it is interrupted", func() bool { return stateOf(t, c, job).State == farm.StateInterrupted })
	has.proxy.mend()
	has.end(api.Succeeded)
	if r := resultOf(t, c, job); r.State != farm.StateSucceeded || r.Machine != "first" {
		t.Errorf("%+v", r)
	}
	if has.timesBegun("wait") != 1 || other.timesBegun("wait") != 0 {
		t.Errorf("begun %d and %d times", has.timesBegun("wait"), other.timesBegun("wait"))
	}
}

func TestTwoMachinesThatEndAJobLeaveOneResult(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, repeatable("wait"))
	has.proxy.cut()
	eventually(t, "the other machine has begun it", func() bool { return other.timesBegun("wait") == 1 })
	has.end(api.Succeeded)
	other.end(api.Failed)
	first := resultOf(t, c, job)
	has.proxy.mend()
	// What comes later changes nothing.
	resultOf(t, c, submit(t, c, script("ok")))
	if now := resultOf(t, c, job); now.Machine != first.Machine || now.State != first.State || first.Machine != "second" {
		t.Errorf("first %+v, then %+v", first, now)
	}
}

func TestAServerThatDiesLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	c := h.dial("desk", farm.RoleSubmit)
	has, other, job := pair(t, h, c, repeatable("wait"))
	second := submit(t, c, script("wait more"))
	eventually(t, "the other machine has a job, too", func() bool { return other.timesBegun("wait more") == 1 })
	waiting := submit(t, c, script("ok"))
	h.server.Stop()
	has.end(api.Succeeded)
	down := time.Now()
	eventually(t, "the leases have ended", func() bool { return time.Since(down) > lease })
	h.start()
	other.end(api.Succeeded)
	for _, j := range []farm.Job{job, second, waiting} {
		if r := resultOf(t, c, j); r.State != farm.StateSucceeded {
			t.Errorf("%s: %+v", j.Name, r)
		}
		if n := has.timesBegun(j.Name) + other.timesBegun(j.Name); n != 1 {
			t.Errorf("%s was begun %d times", j.Name, n)
		}
	}
}
