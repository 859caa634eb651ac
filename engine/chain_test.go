package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

// saves stands for a script that writes a file in one of the watched folders, some time ago, and
// for the watcher that sees it.
func (h *house) saves(c *call, path, code string, ago time.Duration) {
	h.t.Helper()
	c.writes(h.t, fmt.Sprintf("wrote 0 %d %q", time.Now().Add(-ago).UnixNano(), path))
	h.w.save(path, code)
}

func TestAScriptThatSavesItselfDoesNotRunAgainAndAPersonsSaveDoes(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	a := h.path("a.py")
	h.w.save(a, "1")
	c := h.call()
	h.saves(c, a, "2", 0)
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "saved by its own run 1") })
	h.expect("1 a.py running")
	h.w.save(a, "3") // nothing explains it
	h.expect("1 a.py running", "2 a.py queued")
	if r := h.run("2"); r.WrittenBy != "" {
		t.Errorf("2 was written by %q", r.WrittenBy)
	}
	c.finish(blender.Succeeded)
	c = h.call()
	h.saves(c, a, "4", 0)
	c.finish(blender.Succeeded)
	h.ended("2")
	// A person saves what ran before, and what the script has made.
	h.w.save(a, "3")
	h.call().finish(blender.Succeeded)
	h.ended("3")
	h.w.save(a, "4")
	h.call()
	h.expect("1 a.py succeeded", "2 a.py succeeded", "3 a.py succeeded", "4 a.py running")
}

func TestAScriptsLastWriteMayBeSeenAfterItsEnd(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "1")
	c := h.call()
	c.writes(t, fmt.Sprintf("wrote 0 %d %q", time.Now().UnixNano(), h.path("a.py")))
	c.finish(blender.Succeeded)
	h.ended("1")
	h.w.save(h.path("a.py"), "2")
	h.expect("1 a.py succeeded")
}

func TestAPersonsFileInThePlaceOfTheScriptsRuns(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	a := h.path("a.py")
	if err := os.MkdirAll(h.watched, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.w.save(a, "1")
	c := h.call()
	c.writes(t, fmt.Sprintf("wrote %d %d %q", inodeOf(a)+1, time.Now().UnixNano(), a))
	h.w.save(a, "2")
	h.expect("1 a.py running", "2 a.py queued")
}

func TestAnotherScriptThatAScriptSavesRuns(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "1")
	c := h.call()
	h.saves(c, h.path("b.py"), "1", 0)
	c.writes(t, fmt.Sprintf("wrote 7 %d %q", time.Now().UnixNano(), h.path("new"))) // a folder is moved there
	h.w.give(watcher.Save{Path: h.path("new/c.py"), Code: []byte("1")})
	h.w.save(h.path("d.py"), "1") // a person's
	for id, want := range map[string]string{"2": "1", "3": ""} {
		if r := h.run(id); r.WrittenBy != want {
			t.Errorf("%s: %s was written by %q, not %q", id, r.Script, r.WrittenBy, want)
		}
	}
}

func TestAChainOfScriptsThatSaveEachOtherEnds(t *testing.T) {
	t.Parallel()
	for name, ago := range map[string]time.Duration{"proven": 0, "likely": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(c *Config) { c.Runs.OnStop = api.OnStopRequeue }).serve()
			sub := h.Subscribe(SubscribeOptions{})
			names := []string{h.path("a.py"), h.path("b.py")}
			h.w.save(names[0], "0")
			for i := range maxChain + 1 {
				c := h.call()
				if i == 5 { // the engine is started anew meanwhile
					h.saves(c, names[(i+1)%2], fmt.Sprint(i+1), ago)
					c.finish(blender.Succeeded)
					h.ended(c.req.ID)
					sub.Close()
					h = h.again().serve()
					sub = h.Subscribe(SubscribeOptions{})
					continue
				}
				h.saves(c, names[(i+1)%2], fmt.Sprint(i+1), ago)
				c.finish(blender.Succeeded)
			}
			defer sub.Close()
			await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "b.py is not run: 11 runs in a row") })
			last := h.run("12")
			if last.State != api.Cancelled || !strings.Contains(last.Reason, "b.py → a.py → b.py)") || last.WrittenBy != "11" {
				t.Errorf("%+v", last)
			}
			if _, ok := h.w.cfg.Known(names[1]); !ok {
				t.Error("the save that was not run counts as not seen")
			}
			h.w.save(names[1], fmt.Sprint(maxChain+1)) // a person saves the same
			if c := h.call(); c.req.ID != "13" {
				t.Errorf("sent %s", c.req.ID)
			}
		})
	}
}

func TestAChainThatIsOnlyLikelyEndsWhenItIsQuickerThanAPerson(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.save(h.path("a.py"), "0")
	for i := 0; i <= maxChain; {
		c := h.call()
		c.writes(t, "child")
		if c.req.File == h.path("a.py") {
			i++
			h.w.save(h.path("a.py"), fmt.Sprint(i))
			h.w.save(h.path(fmt.Sprint("other", i, ".py")), "x") // is no part of the chain
		}
		c.finish(blender.Succeeded)
	}
	eventually(t, "the chain ends", func() bool {
		runs, err := h.Runs(ctx, api.Filter{States: []api.State{api.Cancelled}})
		return err == nil && len(runs) == 1 && strings.HasPrefix(runs[0].Reason, "not run: 11 runs in a row") && filepath.Base(runs[0].Script) == "a.py"
	})
	slow := chain{length: maxChain + 1, began: time.Now().Add(-time.Minute)}
	if slow.ends(time.Now()) {
		t.Error("a person may have saved as often in a minute")
	}
	if slow.sure = true; !slow.ends(time.Now()) {
		t.Error("a chain of which each link is known goes on for ever")
	}
}

func TestRunsThatHaveWrittenAreForgottenWithoutASave(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	for range 3 {
		id := h.submit(strings.Repeat("x", 1000)).ID
		c := h.call()
		c.writes(t, "child")
		c.sink.Output([]byte("out"))
		c.finish(blender.Succeeded)
		h.ended(id)
		h.mu.Lock()
		if n := len(h.Engine.ended); n != 1 {
			t.Errorf("%d runs are remembered", n)
		}
		for _, j := range h.Engine.ended {
			if j.code != nil || j.out != nil {
				t.Error("source and output are remembered with the run")
			}
			j.over = j.over.Add(-2 * lately)
		}
		h.mu.Unlock()
	}
}

func TestAScriptThatSavesItselfWhileTheEngineEndsDoesNotRunAgain(t *testing.T) {
	t.Parallel()
	for name, seen := range map[string]bool{"seen at once": true, "found later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, func(c *Config) { c.Runs.StopTimeout = api.Duration(time.Hour) }).serve()
			h.w.cfg.Scanned(h.watched)
			sub := h.Subscribe(SubscribeOptions{})
			defer sub.Close()
			a := h.path("a.py")
			h.w.save(a, "1")
			c := h.call()
			stopped := make(chan struct{})
			go func() { defer close(stopped); h.stop() }()
			await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "the engine ends when run 1") })
			now := time.Now()
			c.writes(t, fmt.Sprintf("wrote 0 %d %q", now.UnixNano(), a))
			if seen {
				h.w.save(a, "2")
			}
			h.w.save(h.path("b.py"), "1") // a person's waits for the next engine
			c.finish(blender.Succeeded)
			<-stopped
			h = h.again()
			h.finds(a, "2", now)
			h.finds(h.path("b.py"), "1", now)
			h.expect("1 a.py succeeded", "2 b.py queued")
			h.finds(a, "3", now.Add(time.Minute)) // a person's
			h.expect("1 a.py succeeded", "2 b.py queued", "3 a.py queued")
		})
	}
}

func TestAScriptThatHasSavedItselfBeforeTheEngineDiedDoesNotRunAgain(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	a := h.path("a.py")
	h.w.save(a, "1")
	now := time.Now()
	c := h.call()
	c.writes(t, "begun")
	c.writes(t, fmt.Sprintf("wrote 0 %d %q", now.UnixNano(), a))
	h = h.die()
	h.finds(a, "2", now)
	h.expect("1 a.py interrupted")
	if left, err := os.ReadDir(h.cfg.JournalDir); err != nil || len(left) != 0 {
		t.Errorf("journals are left: %v %v", left, err)
	}
}

// finds stands for a scan that finds a file that was last changed at a time.
func (h *house) finds(path, code string, at time.Time) {
	h.t.Helper()
	h.w.cfg.Save(ctx, watcher.Save{
		Folder: h.watched, Path: path, Code: []byte(code), Scan: true, Seen: time.Now().Add(time.Hour),
		Stamp: watcher.Stamp{Size: int64(len(code)), ModTime: at, Hash: hashOf([]byte(code)), Changed: at.UnixNano()},
	})
}

// A script that writes twice at once: the line of the second write explains the second save.
func TestALineOfAWriteThatComesRightAfterASaveIsKeptForTheNext(t *testing.T) {
	t.Parallel()
	const path = "/s/twice.py"
	first := time.Now()
	second := first.Add(2 * time.Millisecond)
	stampOf := func(size int64, at time.Time) watcher.Stamp {
		return watcher.Stamp{Size: size, ModTime: at, Changed: at.UnixNano()}
	}
	stamps := []watcher.Stamp{stampOf(10, first), stampOf(11, second)}
	person := stampOf(12, second.Add(600*time.Millisecond))
	for name, test := range map[string]struct {
		before []*written
		seen   []time.Time
	}{
		"both saves seen at once":            {[]*written{nil, nil}, []time.Time{first.Add(time.Millisecond), second.Add(time.Millisecond)}},
		"the first save seen after the line": {[]*written{{9, 1}, {10, first.UnixNano()}}, []time.Time{second.Add(time.Millisecond), second.Add(time.Second)}},
	} {
		j := &journal{wrote: []wrote{{path: path, at: first, before: test.before[0]}, {path: path, at: second, before: test.before[1]}}}
		for i, seen := range test.seen {
			if how := j.explains([]string{path}, 0, stamps[i], seen); how != proven {
				t.Errorf("%s: save %d has the evidence %v", name, i, how)
			}
		}
		if how := j.explains([]string{path}, 0, person, second.Add(time.Second)); how != noEvidence {
			t.Errorf("%s: a person's save has the evidence %v", name, how)
		}
	}
	// The script has written the size that was there, within one tick of the file system's clock.
	j := &journal{wrote: []wrote{{path: path, at: second, before: &written{11, second.UnixNano()}}}}
	if how := j.explains([]string{path}, 0, stamps[1], second); how != proven {
		t.Errorf("a save like the file before has the evidence %v", how)
	}
	if how := j.explains([]string{path}, 0, person, second.Add(time.Second)); how != likely {
		t.Errorf("a person's save after it has the evidence %v", how)
	}
	if how := j.explains([]string{path}, 0, person, second.Add(time.Second)); how != noEvidence {
		t.Errorf("another save has the evidence %v", how)
	}
}
