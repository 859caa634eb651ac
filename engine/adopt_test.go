package engine

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"blendtray/api"
)

// stops asks a run to end as an engine does that is stopped and queues its runs again.
func (h *house) stops(c *call) {
	h.t.Helper()
	n, _ := parseID(c.req.ID)
	h.mu.Lock()
	h.stopping = true
	j := h.running[n]
	j.requeue = true
	j.askToEndLocked("the engine was stopped", true)
	h.mu.Unlock()
	eventually(h.t, "the run waits again", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.queue.find(n) != nil
	})
}

func TestARunThatWaitsForTheNextEngineIsNotTakenForCutOff(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(h *house) *call{
		"made": func(h *house) *call { return h.send(api.Submission{Code: []byte("a")}) },
		"sent": func(h *house) *call { h.inSession("s", "a"); return h.sendNext() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := noting(t)
			c := send(h)
			c.writes(t, "begun\nwrote 0 1 \"/a\"")
			h.stops(c)
			h.die().expect("1 <message> queued")
			// The engine is killed before it notes that the database has all.
			text, err := os.ReadFile(c.req.Journal)
			if err != nil {
				t.Fatal(err)
			}
			text = []byte(strings.Replace(string(text), "\n"+knownWord+"\n", "", 1))
			if err := os.WriteFile(c.req.Journal, text, 0o600); err != nil {
				t.Fatal(err)
			}
			h.die().expect("1 <message> queued")
		})
	}
}

func TestARunThatWasDeletedWhileTheEngineEndsStaysDeleted(t *testing.T) {
	t.Parallel()
	h := noting(t)
	c := h.send(api.Submission{Code: []byte("a")})
	c.writes(t, `wrote 0 1 "/a"`)
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	c.plain(t)
	h.ended("1")
	if _, err := os.Stat(c.req.Journal); err != nil {
		t.Fatalf("the next engine does not learn what was written: %v", err)
	}
	if err := h.DeleteRun(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	h.die().expect()
}

// whole is a submission that says all that a run in a session may say.
func whole(h *house) api.Submission {
	return api.Submission{
		Code: []byte("print('ü\u2028')\n\n"), Name: "a \"name\"", Dir: h.dir, Args: []string{"--", "ü", "", "<&>"}, Echo: true,
		Client: "the client", TimeLimitSeconds: 7.5, Limits: api.Limits{MaxMemory: 1<<40 + 1, MaxProcesses: 3}, Leftover: api.LeftoverRun,
	}
}

func TestANotedRunThatHadNotBegunIsExecutedByTheNextEngine(t *testing.T) {
	t.Parallel()
	h := noting(t)
	first := h.send(whole(h))
	want := h.run("1")
	h.onlyNoted("1")
	next := h.die()
	got := next.run("1")
	want.State, want.StartedAt, want.Output = api.Queued, nil, ""
	got.Reason = ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("taken over:\n%+v\nwant\n%+v", got, want)
	}
	if code, err := next.Code(ctx, "1"); err != nil || string(code) != string(first.req.Code) {
		t.Errorf("its code is %q, %v", code, err)
	}
	next.serve()
	c := next.call()
	a, b := c.req, first.req
	if a.SessionGone == "" {
		t.Error("it is not told that its session is gone")
	}
	a.SessionGone, a.Journal, b.Journal, a.Watched, b.Watched = "", "", "", nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Errorf("sent\n%+v\nwant\n%+v", a, b)
	}
	c.plain(t)
	if r := next.ended("1"); r.State != api.Succeeded {
		t.Errorf("it has %s", r.State)
	}
	if r := next.submit("later"); r.ID != "2" {
		t.Errorf("the next run is run %s", r.ID)
	}
}

func TestANotedRunNeverLosesWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines string
		want  api.State
	}{
		"begun":             {"begun\n", api.Interrupted},
		"half a line":       {"beg", api.Interrupted},
		"ended":             {"begun\nended {\"state\": \"failed\", \"exit_code\": 3, \"seconds\": 1.5}\n", api.Failed},
		"over":              {"begun\n\nover {\"run\": {\"state\": \"cancelled\", \"reason\": \"why\"}}\n", api.Cancelled},
		"queued again":      {"begun\n\nover {\"queued\": true}\n", api.Queued},
		"nothing, and sent": {"sent\n", api.Queued},
	} {
		for _, first := range []string{"made", "sent"} {
			h := noting(t)
			var call *call
			if first == "made" {
				call = h.send(api.Submission{Code: []byte("a")})
				h.onlyNoted("1")
			} else {
				h.inSession("s", "a")
				if call = h.sendNext(); h.inDatabase("1") != api.Queued {
					t.Fatalf("the database has it as %s", h.inDatabase("1"))
				}
			}
			if text, err := os.ReadFile(call.req.Journal); err != nil || !strings.HasPrefix(string(text), noLines+first) {
				t.Fatalf("its journal is %q, %v", text, err)
			}
			f, err := os.OpenFile(call.req.Journal, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(c.lines)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			next := h.die()
			if got := next.all(); !slices.Equal(got, []string{"1 <message> " + string(c.want)}) {
				t.Errorf("%s, %s: %v", first, name, got)
			}
			ended := 0
			if c.want.Final() {
				ended = 1
			}
			if next.store.ended != ended || next.Status().Queued != 1-ended {
				t.Errorf("%s, %s: %d ended runs are counted, and %d wait", first, name, next.store.ended, next.Status().Queued)
			}
		}
	}
}

func TestANoteThatIsNotWholeOrNotNeededIsIgnored(t *testing.T) {
	t.Parallel()
	whole := note{Code: "a", Hash: hashOf([]byte("a")), Name: "noted", Session: "s", Blender: api.DefaultBlender, Scene: "keep", Source: api.FromCommand, Isolation: api.IsolateKeep}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	line := noLines + madeWord + " " + string(text) + "\n"
	for name, c := range map[string]struct {
		file, text string
		want       string
	}{
		"a whole note":       {"7", line, "7 noted queued"},
		"a wrong hash":       {"7", strings.Replace(line, `"code":"a"`, `"code":"b"`, 1), ""},
		"a cut line":         {"7", line[:len(line)-1], ""},
		"half a line":        {"7", line[:20], ""},
		"no JSON":            {"7", noLines + madeWord + " {\n", ""},
		"no note":            {"7", noLines, ""},
		"sent, and no run":   {"7", noLines + sentWord + "\n", ""},
		"known":              {"7", line + knownWord + "\n", ""},
		"a name of no run":   {"07", line, ""},
		"a run that is":      {"1", line, ""},
		"a run that waits":   {"2", line, ""},
		"known and it waits": {"2", line + "begun\n" + knownWord + "\n", ""},
	} {
		h := open(t)
		h.submit("a")
		h.submit("b")
		j, err := h.store.get(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		j.run.State = api.Succeeded
		if err := h.store.finish(1, &j.run, kept{}, false); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.cfg.JournalDir, c.file), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		h = h.again()
		want := []string{"1 <message> succeeded", "2 <message> queued"}
		if c.want != "" {
			want = append(want, c.want)
		}
		if got := h.all(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		if left, err := os.ReadDir(h.cfg.JournalDir); err != nil || len(left) != 0 && c.file != "07" {
			t.Errorf("%s: journals are left: %v, %v", name, left, err)
		}
		if h.store.ended != 1 {
			t.Errorf("%s: %d ended runs are counted", name, h.store.ended)
		}
	}
}
