package engine

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
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

// oneByOne returns the order of a queue by asking for the next run again and again. It empties the queue.
func oneByOne(q *queue, l *load) (names []string) {
	free := newLoad()
	free.parallel, free.turns, free.turn, free.hurried = q.len()+1, maps.Clone(l.turns), l.turn, l.hurried
	for n := range q.needs {
		free.open[n.blender] = false
	}
	for q.len() > 0 {
		j, early := q.next(free, func(string) bool { return true })
		free.began(j, early, q.lines)
		q.remove(j)
		names = append(names, j.run.ID)
	}
	return names
}

// The order of a page is worked out without the queue behind it; it is the order in which runs are chosen.
func TestTheOrderIsThatInWhichTheNextIsChosen(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 15))
		var q queue
		l := newLoad()
		l.turn, l.hurried = 50, r.IntN(2) == 0
		lines, scripts := 1+r.IntN(12), 1+r.IntN(60)
		for i := range r.IntN(200) {
			w := waitingRun{name: fmt.Sprint(i), blender: []string{"default", "other"}[r.IntN(5)/4], isolation: api.Isolation(r.IntN(2))}
			who := fmt.Sprint(min(r.IntN(lines), r.IntN(lines)))
			switch r.IntN(4) {
			case 0, 1:
				w.folder = who
			case 2:
				w.client = who
			default:
				w.session = who
			}
			if w.folder != "" || r.IntN(2) == 0 {
				w.script = fmt.Sprint("/", r.IntN(scripts))
			}
			if r.IntN(9) == 0 {
				w.writtenBy = "3"
			}
			j := w.job(int64(i + 1))
			if r.IntN(3) == 0 {
				l.turns[j.line] = r.IntN(50)
			}
			q.push(j)
			if r.IntN(15) == 0 {
				of := []api.Front{api.FrontOfAll, api.FrontOfLine}[r.IntN(2)]
				place := q.placeBefore(j, of)
				q.remove(j)
				j.place = place
				q.push(j)
			}
		}
		if seed%2 == 0 { // a line with a few runs, so that a person's save goes before the others
			q.push(waitingRun{name: "hand", folder: "hand", script: "/1"}.job(1000))
		}
		n := r.IntN(q.len() + 2)
		var got, all []string
		for _, j := range q.order(l, n) {
			got = append(got, j.run.ID)
		}
		for _, j := range q.order(l, q.len()+1) {
			all = append(all, j.run.ID)
		}
		want := oneByOne(&q, l)
		if !slices.Equal(all, want) {
			t.Fatalf("seed %d: the order is\n%v, they begin as\n%v", seed, all, want)
		}
		if !slices.Equal(got, want[:min(n, len(want))]) {
			t.Fatalf("seed %d: the first %d are %v, want %v", seed, n, got, want)
		}
	}
}

func TestARunWaitsForTheRunThatHasWhatItNeeds(t *testing.T) {
	t.Parallel()
	h, _ := openWithSessions(t, api.Session{Name: "chair", Blender: api.DefaultBlender, State: api.SessionReady})
	h.inSession("chair", "first")
	inSession := h.call()
	keeping := h.keeps("first")
	h.call()
	for name, c := range map[string]struct {
		run    api.Run
		want   api.QueueReason
		behind string
	}{
		"the session":      {h.inSession("chair", "second"), api.WaitsForSession, inSession.req.ID},
		"the same Blender": {h.keeps("second"), api.WaitsForState, keeping.ID},
	} {
		i := slices.IndexFunc(h.listed(0), func(q api.QueuedRun) bool { return q.Run.ID == c.run.ID })
		if i < 0 {
			t.Errorf("%s: run %s does not wait", name, c.run.ID)
			continue
		}
		if q := h.listed(0)[i]; q.Reason != c.want || q.Behind != c.behind || !strings.HasPrefix(q.Why, "run "+c.behind+" is running in the ") {
			t.Errorf("%s: it waits for %q behind %q: %s", name, q.Reason, q.Behind, q.Why)
		}
	}
}

// keeps submits code for the Blender that keeps its state.
func (h *house) keeps(code string) api.Run {
	h.t.Helper()
	r, err := h.Submit(ctx, api.Submission{Code: []byte(code), Isolation: api.IsolateKeep})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
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
	if _, err := h.MoveFirst(ctx, current.req.ID, api.FrontOfAll); !errors.Is(err, api.ErrNotEnded) {
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
