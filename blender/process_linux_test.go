package blender

import (
	"encoding/json"
	"os"
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
