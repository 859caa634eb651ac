package blender

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestBlenderGoesBeforeTheEngineWhenMemoryRunsOut(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Config{})
	out, _ := do(t, s, Request{Code: []byte(`import subprocess
path = "/proc/self/oom_score_adj"
result = [int(open(path).read()), int(subprocess.run(["cat", path], capture_output=True).stdout)]`)})
	var is []int
	if err := json.Unmarshal(out.Result, &is); err != nil {
		t.Fatalf("%+v, %+v", out, out.Error)
	}
	if want := min(own+aboveEngine, highestScore); is[0] != want || is[1] != want {
		t.Errorf("Blender and what its script starts have %d, want %d", is, want)
	}
}

func TestWhoKilledAProcessIsSaid(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"exec sleep 1000": "killed by the engine",
		"kill -9 $$":      "perhaps because memory ran out",
	} {
		p, err := startProcess(exec.Command("sh", "-c", script), nil, discardCloser{}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(script, "kill") {
			p.kill()
		}
		<-p.exited
		if how := p.how().Error(); !strings.Contains(how, want) {
			t.Errorf("%s: %s, want %s", script, how, want)
		}
	}
}

type discardCloser struct{}

func (discardCloser) Write(p []byte) (int, error) { return len(p), nil }
func (discardCloser) Close() error                { return nil }
