//go:build linux

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/control"
)

// client returns a client of the engine of the program.
func (p *program) client() *control.Client {
	p.t.Helper()
	return control.NewClient(p.socket())
}

// usage returns what was measured, and the process with an id.
func (p *program) usage(pid int) (all api.Usage, of api.ProcessUsage) {
	p.t.Helper()
	all, err := p.client().Usage(context.Background(), time.Time{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, k := range all.Processes {
		if k.PID == pid {
			of = k
		}
	}
	return all, of
}

func TestABlenderIsMeasuredWithWhatItHasStarted(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	stop := filepath.Join(t.TempDir(), "stop")
	// The child leaves the session of Blender and takes 150 MB; both burn a core.
	p.save("burn.py", fmt.Sprintf(`import os, subprocess
stop = %q
burn = r"""import os, sys
taken = b'x' * 150_000_000
while not os.path.exists(sys.argv[1]): pass
"""
child = subprocess.Popen(["python3", "-c", burn, stop], start_new_session=True)
while not os.path.exists(stop): pass
child.wait()
`, stop))
	pid := 0
	p.eventually("it is running", func() bool {
		s, _ := p.status()
		if len(s.Runs) == 1 {
			pid = s.Runs[0].PID
		}
		return pid != 0
	})
	var newest api.UsageSample
	p.eventually("both are measured", func() bool {
		all, of := p.usage(pid)
		if len(of.Samples) == 0 || len(all.Engine) == 0 || all.Cores == 0 || all.MemoryBytes == 0 {
			return false
		}
		newest = of.Samples[len(of.Samples)-1]
		// On a busy machine, two processes have less than two cores.
		return newest.Processes >= 2 && newest.MemoryBytes > 200e6 && newest.CPUCores > 0.3
	})
	if newest.CPUCores > 2.5 {
		t.Errorf("two processes take %.2f cores", newest.CPUCores)
	}
	s, _ := p.status()
	found := false
	for _, k := range s.Processes {
		found = found || k.PID == pid && k.Usage != nil && k.Usage.Processes >= 2
	}
	if !found || s.Engine.Usage == nil || s.Engine.Usage.MemoryBytes == 0 || s.Engine.Usage.Processes != 1 {
		t.Errorf("the status says %+v of %+v", s.Processes, s.Engine)
	}
	if out := p.call("status").stdout; !strings.Contains(out, " core") {
		t.Errorf("status prints:\n%s", out)
	}
	before := newest.At
	p.saveIn(filepath.Dir(stop), "stop", "")
	p.eventually("the process has ended, and is still listed", func() bool {
		_, of := p.usage(pid)
		return of.Ended && len(of.Samples) > 0 || of.PID != 0 && before.Before(of.Samples[len(of.Samples)-1].At) && of.Samples[len(of.Samples)-1].Processes == 1
	})
	// A client that has some gets what is new.
	all, _ := p.usage(pid)
	have := all.Engine[0].At
	later, err := p.client().Usage(context.Background(), have)
	if err != nil || len(later.Engine) < len(all.Engine)-1 || !later.Engine[0].At.After(have) {
		t.Errorf("after %s: %+v, %v", have, later.Engine, err)
	}
}
