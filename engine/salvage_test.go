package engine

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"blendtray/api"
	"blendtray/blender"
)

// pageOf returns the number of the first page of a table, counted from 1.
func (h *house) pageOf(table string) (page int) {
	h.t.Helper()
	if err := h.store.reader.QueryRow(`SELECT rootpage FROM sqlite_master WHERE name = ?`, table).Scan(&page); err != nil {
		h.t.Fatal(err)
	}
	return page
}

// damage closes the engine, overwrites pages of its database, and returns the next engine and what
// that says of the damage.
func (h *house) damage(pages ...int) (*house, string) {
	h.t.Helper()
	if err := h.Engine.Close(); err != nil {
		h.t.Fatal(err)
	}
	f, err := os.OpenFile(h.cfg.Database, os.O_WRONLY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, page := range pages {
		if _, err := f.WriteAt([]byte(strings.Repeat("Z", 4096)), int64(page-1)*4096); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
	next := openIn(h.t, h.cfg)
	sub := next.Subscribe(SubscribeOptions{})
	defer sub.Close()
	note := await(h.t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "was damaged") })
	return next, note.Message
}

func TestWhatADamagedDatabaseHasIsSaved(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.w.cfg.Scanned(h.watched)
	h.b.do = succeed
	h.serve()
	h.w.save(h.path("ran.py"), "x")
	h.ended("1")
	h.stop()
	h = h.again()
	for i := range 3 {
		h.w.save(h.path(fmt.Sprint(i, ".py")), fmt.Sprint(i))
	}
	h, note := h.damage(h.pageOf("outputs"))
	if !strings.Contains(note, "all its 4 runs were saved, 3 of them waiting") {
		t.Errorf("it says %q", note)
	}
	h.expect("1 ran.py succeeded", "2 0.py queued", "3 1.py queued", "4 2.py queued")
	h.serve()
	for i := range 3 {
		c := h.call()
		if string(c.req.Code) != fmt.Sprint(i) {
			t.Errorf("sent %q", c.req.Code)
		}
		c.finish(blender.Succeeded)
	}
	h.w.scan(h.path("ran.py"), "x") // is known
	h.w.scan(h.path("new.py"), "x") // was saved meanwhile, in a folder that is known
	if c := h.call(); c.req.ID != "5" || c.req.File != h.path("new.py") {
		t.Errorf("sent run %s, %s", c.req.ID, c.req.File)
	}
}

func TestWhatIsLostInADamagedDatabaseIsSaid(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.w.cfg.Scanned(h.watched)
	for i := range 300 {
		h.w.save(h.path(fmt.Sprint(i, ".py")), fmt.Sprint(i))
	}
	var leaf int
	if err := h.store.reader.QueryRow(`SELECT max(pageno) FROM dbstat WHERE name = 'runs' AND pagetype = 'leaf'`).Scan(&leaf); err != nil {
		leaf = 0 // SQLite was built without this table
	}
	pages := []int{h.pageOf("codes")}
	if leaf > 0 {
		pages = []int{leaf}
	}
	h, note := h.damage(pages...)
	var saved, waiting int
	at := strings.Index(note, "begun; ")
	if n, err := fmt.Sscanf(note[max(at, 0):], "begun; %d of its runs were saved, %d of them waiting", &saved, &waiting); n != 2 {
		t.Fatalf("it says %q: %v", note, err)
	}
	if len(h.all()) != saved || waiting != saved || saved >= 300 || leaf > 0 && saved == 0 {
		t.Errorf("%d runs are there, and it says %q", len(h.all()), note)
	}
	h.w.scan(h.path("299.py"), "299") // its run may be lost, and it is not known any more
	if _, ok := h.known(h.path("0.py")); ok {
		t.Error("a script counts as seen whose run may be lost")
	}
}

func TestAnEmptyDatabaseIsSaid(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.submit("x")
	if err := h.Engine.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(h.cfg.Database, 0); err != nil {
		t.Fatal(err)
	}
	h = openIn(t, h.cfg)
	sub := h.Subscribe(SubscribeOptions{})
	defer sub.Close()
	await(t, sub, "note", func(ev api.Event) bool { return strings.Contains(ev.Message, "was an empty file") })
}
