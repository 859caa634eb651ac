package engine

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"blendtray/api"
)

// listed returns the first n runs that wait.
func (h *house) listed(n int) []api.QueuedRun {
	first, _ := h.Queue(n)
	return first
}

// inOrder returns what waits, in its order, as names of scripts.
func (h *house) inOrder() string {
	names := []string{}
	for i, q := range h.listed(0) {
		if q.Position != i+1 || q.Why == "" {
			h.t.Errorf("at %d stands %+v", i+1, q)
		}
		name := filepath.Base(q.Run.Script)
		if q.Ahead {
			name += "!"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// idOf returns the id of the run of a script that waits.
func (h *house) idOf(name string) string {
	h.t.Helper()
	for _, q := range h.listed(0) {
		if filepath.Base(q.Run.Script) == name {
			return q.Run.ID
		}
	}
	h.t.Fatalf("no run of %s waits", name)
	return ""
}

func (h *house) first(name string, of api.Front) {
	h.t.Helper()
	id := h.idOf(name)
	if r, err := h.MoveFirst(ctx, id, of); err != nil || r.ID != id || r.State != api.Queued {
		h.t.Fatalf("%s: %+v, %v", name, r, err)
	}
}

func TestTheQueueIsListedInTheOrderInWhichItBegins(t *testing.T) {
	t.Parallel()
	h := open(t, folders(func(*api.FolderSettings) {}, "more")).serve()
	h.w.save(h.path("running.py"), "x")
	current := h.call()
	for _, name := range []string{"a.py", "b.py", "c.py", "d.py", "running.py"} {
		h.w.save(h.path(name), name)
	}
	h.w.save(h.beside("more", "e.py"), "x")
	h.w.save(h.beside("more", "f.py"), "x")
	order := h.inOrder()
	queue := h.listed(0)
	if first := queue[0]; first.LineKind != "folder" || first.Line != filepath.Dir(first.Run.Script) || !strings.Contains(first.Why, "runs.parallel") {
		t.Errorf("the first is %+v", first)
	}
	for _, q := range queue {
		want, behind := api.WaitsForTurn, ""
		switch {
		case filepath.Base(q.Run.Script) == "running.py":
			want, behind = api.WaitsForScript, current.req.ID
		case q.Position == 1:
			want = api.WaitsForPlace
		default:
			behind = queue[q.Position-2].Run.ID
		}
		if q.Reason != want || q.Behind != behind {
			t.Errorf("run %s waits for %q behind %q", q.Run.ID, q.Reason, q.Behind)
		}
		if filepath.Base(q.Run.Script) == "running.py" && q.Why != "run "+current.req.ID+" of the same script is running" {
			t.Errorf("why: %q", q.Why)
		}
	}
	if short, total := h.Queue(2); len(short) != 2 || total != 7 {
		t.Errorf("two of them: %+v of %d", short, total)
	}

	// That is how they begin.
	var began []string
	for range 7 {
		current.finish("succeeded")
		current = h.call()
		began = append(began, filepath.Base(current.req.File))
	}
	current.finish("succeeded")
	if got := strings.Join(began, " "); got != order {
		t.Errorf("they began as %s, the queue was %s", got, order)
	}
}

func TestARunIsPutAheadOfOthers(t *testing.T) {
	t.Parallel()
	h := open(t, folders(func(*api.FolderSettings) {}, "more")).serve()
	h.w.save(h.path("running.py"), "x")
	current := h.call()
	for _, name := range []string{"a.py", "b.py", "c.py", "d.py"} {
		h.w.save(h.path(name), name)
	}
	h.w.save(h.beside("more", "e.py"), "x")
	h.w.save(h.beside("more", "f.py"), "x")

	h.first("d.py", api.FrontOfLine)
	h.first("d.py", api.FrontOfLine) // it stays so
	if got := h.inOrder(); strings.Index(got, "d.py") > strings.Index(got, "a.py") || strings.Contains(got, "!") {
		t.Errorf("ahead of its folder: %s", got)
	}
	h.first("c.py", api.FrontOfAll)
	h.first("f.py", api.FrontOfAll)
	h.first("f.py", api.FrontOfAll)
	if got := h.inOrder(); !strings.HasPrefix(got, "f.py! c.py! ") {
		t.Errorf("ahead of all: %s", got)
	}
	h.first("a.py", api.FrontOfLine)
	if got := h.inOrder(); !strings.HasPrefix(got, "f.py! c.py! ") || strings.Index(got, "a.py") > strings.Index(got, "d.py") {
		t.Errorf("ahead of the others of its folder: %s", got)
	}
	if _, err := h.MoveFirst(ctx, current.req.ID, api.FrontOfAll); !errors.Is(err, api.ErrEnded) {
		t.Errorf("a run that is running: %v", err)
	}
	if _, err := h.MoveFirst(ctx, "4711", api.FrontOfAll); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no run: %v", err)
	}
	if _, err := h.MoveFirst(ctx, h.idOf("a.py"), "both"); !errors.Is(err, api.ErrBad) {
		t.Errorf("of both: %v", err)
	}

	// The next engine keeps to it. What was running is over.
	h = h.again()
	h.serve()
	var began []string
	for range 6 {
		current = h.call()
		began = append(began, filepath.Base(current.req.File))
		current.finish("succeeded")
	}
	if got := strings.Join(began, " "); !strings.HasPrefix(got, "f.py c.py ") {
		t.Errorf("they began as %s", got)
	}
}

func TestTheRunsOfAFolderAreCancelledTogether(t *testing.T) {
	t.Parallel()
	h := open(t, folders(func(*api.FolderSettings) {}, "more")).serve()
	h.w.save(h.path("running.py"), "x")
	current := h.call()
	for _, name := range []string{"a.py", "b.py", "c.py"} {
		h.w.save(h.path(name), name)
	}
	h.w.save(h.beside("more", "e.py"), "x")
	for _, bad := range []string{"", "folders"} {
		if _, err := h.CancelLine(ctx, api.QueueLine{Line: filepath.Dir(h.path("a.py")), LineKind: bad}); !errors.Is(err, api.ErrBad) {
			t.Errorf("of the kind %q: %v", bad, err)
		}
	}
	if n, err := h.CancelLine(ctx, api.QueueLine{Line: filepath.Dir(h.path("a.py")), LineKind: "client"}); err != nil || n != 0 {
		t.Errorf("of a client: %d, %v", n, err)
	}
	if n, err := h.CancelLine(ctx, api.QueueLine{Line: filepath.Dir(h.path("a.py")), LineKind: "folder"}); err != nil || n != 3 {
		t.Errorf("of the folder: %d, %v", n, err)
	}
	if got := h.inOrder(); got != "e.py" {
		t.Errorf("%s wait", got)
	}
	current.finish("succeeded") // what was running goes on
	eventually(t, "it has succeeded", func() bool { r, err := h.Run(ctx, current.req.ID); return err == nil && r.State == api.Succeeded })
	for _, q := range h.listed(0) {
		h.Cancel(ctx, q.Run.ID)
	}
}
