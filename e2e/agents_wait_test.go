//go:build linux

package e2e

import (
	"strings"
	"testing"
	"time"
)

// A call that begins a session answers in its time, and says what it waits for.
func TestACallWithoutABlenderReturnsInTimeAndSaysWhy(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "[blender]\npath = \"/nope/blender\"\n")
	p.start()
	p.eventually("the engine answers", func() bool { _, ok := p.status(); return ok })
	const why = "Blender has failed"
	for _, x := range []struct {
		tool      string
		arguments args
		isError   bool
		within    time.Duration
		texts     []string
	}{
		{"run_python", args{"code": "print(1)", "wait": 3}, false, 10 * time.Second, []string{"waits", why, "no checkpoint: the session had not begun", "wait_run"}},
		{"scene_summary", args{}, true, 40 * time.Second, []string{why, "this was not done"}},
		{"open_save_export", args{"action": "open", "file": "a.blend"}, true, 40 * time.Second, []string{why, "this was not done"}},
	} {
		t.Run(x.tool, func(t *testing.T) {
			t.Parallel()
			a := p.agentOnAPipe() // with a session of its own
			at := time.Now()
			a.says(x.isError, x.tool, x.arguments, x.texts...)
			if took := time.Since(at); took > x.within {
				t.Errorf("the answer took %s", took)
			}
		})
	}
}

// hangs is code that a cancel does not end, so that its Blender is ended.
const hangs = "import time\nprint('begun', flush=True)\nwhile True:\n  try: time.sleep(0.05)\n  except BaseException: pass"

// The Blender of a session may be lost while a call is about to keep its scene.
func TestACallAfterACancelledHangRuns(t *testing.T) {
	t.Parallel()
	p := started(t, "")
	r := p.rawAgent()
	r.begin("2025-06-18")
	id, _ := r.loop(args{"code": hangs})
	r.send("notifications/cancelled", map[string]any{"requestId": id}, true)
	res := string(r.reply(r.send("tools/call", map[string]any{"name": "run_python", "arguments": args{"code": "print('r' + 'an')"}}, false)).Result)
	for _, want := range []string{"ran", "no checkpoint: the scene is lost", "begins anew"} {
		if !strings.Contains(res, want) {
			t.Errorf("the answer lacks %q: %s", want, res)
		}
	}
}

// A person may stop Blender while an agent's code runs.
func TestARunThatEndsWithItsBlenderSaysSo(t *testing.T) {
	t.Parallel()
	for command, why := range map[string]string{"stop": "Blender was stopped", "restart": "Blender was restarted"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := started(t, "")
			r := p.rawAgent()
			r.begin("2025-06-18")
			id, _ := r.loop(nil)
			if done := p.call(command); done.code != 0 {
				t.Fatalf("%+v", done)
			}
			if res := string(r.reply(id).Result); !strings.Contains(res, why+", and the scene of its session is gone") {
				t.Errorf("the answer does not say that %s: %s", why, res)
			}
		})
	}
}
