package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
	"blendtray/watcher"
)

func TestASaveThatWaitsIsKnownForTheScriptsOwn(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	a := h.path("a.py")
	h.w.save(a, "1")
	c := h.call()
	h.pragma(faults["read-only"].begin)
	h.saves(c, a, "2", 0)
	h.pragma(faults["read-only"].end)
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "saved by its own run 1") })
	c.finish(blender.Succeeded)
	h.ended("1")
	h.expect("1 a.py succeeded")
}

func TestASaveThatTheWatcherKeepsIsKnownForTheScriptsOwn(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	a, big := h.path("a.py"), strings.Repeat("x", heldCode*2/3)
	h.w.save(a, "1")
	c := h.call()
	h.pragma(faults["read-only"].begin)
	h.w.save(h.path("b.py"), big)
	c.writes(t, fmt.Sprintf("wrote 0 %d %q", time.Now().UnixNano(), a))
	if h.w.give(watcher.Save{Path: a, Code: []byte(big)}) {
		t.Error("it is to be left to the watcher")
	}
	h.pragma(faults["read-only"].end)
	c.finish(blender.Succeeded)
	h.call().finish(blender.Succeeded)
	h.ended("2")
	eventually(t, "it is taken", func() bool { return h.w.give(watcher.Save{Path: a, Code: []byte(big)}) })
	h.expect("1 a.py succeeded", "2 b.py succeeded")
}

func TestASaveInThePlaceOfOneThatWaitsDecidesAsBoth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		saves func(h *house, c *call, a string)
		want  string // the runs after the first, by their source
	}{
		"dropped again, then saved": {func(h *house, _ *call, a string) {
			h.w.give(watcher.Save{Path: a, Code: []byte("1"), New: true})
			h.w.save(a, "1")
		}, "1"},
		"dropped again, then found": {func(h *house, _ *call, a string) {
			h.w.give(watcher.Save{Path: a, Code: []byte("2"), New: true})
			h.w.scan(a, "2")
		}, "2"},
		"other bytes, then those of the last run": {func(h *house, _ *call, a string) {
			h.w.save(a, "2")
			h.w.save(a, "1")
		}, "1"},
		"a person's, then the script's own": {func(h *house, c *call, a string) {
			h.w.save(a, "2")
			h.saves(c, a, "3", 0)
		}, "2"},
		"the script's own, then a person's": {func(h *house, c *call, a string) {
			h.saves(c, a, "2", 0)
			h.w.save(a, "3")
		}, "3"},
		"the last bytes": {func(h *house, _ *call, a string) { h.w.save(a, "1") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t).serve()
			h.w.cfg.Scanned(h.watched)
			a := h.path("a.py")
			h.w.save(a, "1")
			c := h.call()
			h.pragma(faults["read-only"].begin)
			h.w.save(h.path("first.py"), "x")
			test.saves(h, c, a)
			h.pragma(faults["read-only"].end)
			eventually(t, "no save waits", func() bool { return h.Status().SavesWaiting == 0 })
			c.finish(blender.Succeeded)
			got := ""
			for range len(h.all()) - 1 {
				c := h.call()
				if c.req.File == a {
					got += string(c.req.Code)
				}
				c.finish(blender.Succeeded)
			}
			if got != test.want {
				t.Errorf("ran %q, want %q", got, test.want)
			}
		})
	}
}

func TestARenameThatWaitsStaysARenameWhenTheFileIsSavedAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t).serve()
	h.w.cfg.Scanned(h.watched)
	a, b := h.path("a.py"), h.path("b.py")
	h.w.save(a, "1")
	h.call().finish(blender.Succeeded)
	h.ended("1")
	h.pragma(faults["read-only"].begin)
	h.w.give(watcher.Save{Path: b, Code: []byte("1"), From: a, New: true})
	h.w.save(b, "1")
	h.pragma(faults["read-only"].end)
	eventually(t, "no save waits", func() bool { return h.Status().SavesWaiting == 0 })
	h.expect("1 a.py succeeded")
}
