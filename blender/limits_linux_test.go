package blender

import (
	"encoding/json"
	"os"
	"testing"
)

func TestTheLimitsOfARunHoldForItAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	type found struct {
		PID, Lowest, Highest, Child, Processes int
		Fits                                   bool
	}
	run := func(limits Limits) (is found) {
		out, _ := do(t, s, Request{Limits: limits, Code: []byte(`import os, resource, subprocess
priorities = [os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in os.listdir("/proc/self/task")]
try:
    bytes(8 << 30)
    fits = True
except MemoryError:
    fits = False
child = subprocess.run(["python3", "-c", "bytes(8 << 30)"], stderr=subprocess.DEVNULL)
result = {
    "PID": os.getpid(), "Lowest": min(priorities), "Highest": max(priorities), "Fits": fits,
    "Child": child.returncode, "Processes": resource.getrlimit(resource.RLIMIT_NPROC)[0],
}`)})
		if err := json.Unmarshal(out.Result, &is); err != nil {
			t.Fatalf("%+v, %+v", out, out.Error)
		}
		return is
	}
	// The one with limits comes first: the allocator keeps the addresses of what was freed.
	with := run(Limits{Memory: 4 << 30, Nice: 3, Processes: 50})
	without := run(Limits{})
	if same := with.PID == without.PID; same != (os.Getuid() == 0) {
		t.Errorf("the next run is in the same Blender: %v", same) // only root raises a priority again
	}
	want := found{PID: with.PID, Lowest: without.Lowest + 3, Highest: without.Lowest + 3, Child: 1, Processes: with.Processes}
	if with != want || with.Processes == without.Processes || with.Processes < 50 {
		t.Errorf("with limits %+v, without %+v", with, without)
	}
	want = found{PID: without.PID, Lowest: without.Lowest, Highest: without.Lowest, Fits: true, Processes: without.Processes}
	if without != want {
		t.Errorf("without limits %+v", without)
	}
}
