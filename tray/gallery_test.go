//go:build !headless

package tray

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// madePictures returns a run of a script that has made files.
func madePictures(script string, files ...string) api.Run {
	r := succeeded(script)
	r.Outputs = files
	return r
}

// goToPictures goes to the tab Pictures in a window that is large enough to show some.
func (o *open) goToPictures() *picturesTab {
	o.t.Helper()
	o.Resize(fyne.NewSize(1000, 700))
	o.selectTab(o.pictures.content)
	o.until("the runs are listed", func() bool { return o.pictures.gallery.complete || len(o.pictures.gallery.visible) > 0 })
	return o.pictures
}

// names returns the names of the pictures that the gallery shows.
func (t *picturesTab) names() (names []string) {
	for _, s := range t.gallery.visible {
		names = append(names, s.run.ID+" "+s.name())
	}
	return names
}

func TestAnEmptyGallerySaysWhy(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"), madePictures("/srv/b.py", "/srv/b.blend"))
	p := o.goToPictures()
	says := func(want string) {
		t.Helper()
		o.until("it says "+want, func() bool { return p.help.Visible() && strings.Contains(p.empty.Text, want) })
	}
	says("No run has made a picture yet.")
	if !p.on.Visible() {
		t.Error("previews can't be turned on")
	}
	test.Tap(p.on)
	o.until("previews are on", func() bool {
		return !p.on.Visible() && slices.Equal(o.owned.changes(), []string{"runs.preview=cycles"})
	})
	p.kind.SetSelectedIndex(int(previewShots))
	says("The picture of the next run's scene appears here.")
	p.search.SetText("x")
	says("No picture matches.")
	p.search.SetText("")
	p.kind.SetSelectedIndex(int(allShots))
	file := filepath.Join(t.TempDir(), "1.jpg")
	picture(t, file, image.Pt(48, 27))
	r := o.runs.detail.run
	r.Preview = file
	o.heard(api.Event{Kind: api.KindPreview, ID: r.ID, Run: &r})
	o.until("the picture is listed", func() bool { return len(p.gallery.visible) == 1 && !p.help.Visible() })
}

func TestTheGalleryShowsWhatRunsMadeNewestFirst(t *testing.T) {
	dir := t.TempDir()
	chair, table := filepath.Join(dir, "chair.png"), filepath.Join(dir, "table.png")
	picture(t, chair, image.Pt(400, 300))
	o := openWindow(t,
		madePictures("/srv/chair.py", chair, "/srv/chair.blend"),
		madePictures("/srv/table.py", table, filepath.Join(dir, "table.exr")),
		madePictures("/srv/chair.py", chair),
	)
	p := o.goToPictures()
	shows := func(want ...string) {
		t.Helper()
		o.until(fmt.Sprint(want, " are listed"), func() bool { return slices.Equal(p.names(), want) })
	}
	shows("3 chair.png", "2 table.png", "2 table.exr", "1 chair.png")
	o.Canvas().Capture() // draws the cells
	made := func(key string) (thumb, bool) {
		i := slices.IndexFunc(p.gallery.all, func(s shot) bool { return keyOf(s) == key })
		return p.cache.get(thumbKeyOf(p.gallery.all[i]))
	}
	said := func(key, want string) {
		t.Helper()
		o.until(key+" says "+want, func() bool {
			made, there := made(key)
			return there && strings.Contains(made.words, want)
		})
	}
	said("2/0", "The file is gone.")
	said("2/1", "The file is gone.")
	said("1/0", "Run 3 has written over this file.")
	o.until("the picture has come", func() bool { made, _ := made("3/0"); return made.image != nil })
	p.search.SetText("TABLE.exr")
	shows("2 table.exr")
	p.search.SetText("chair.py")
	shows("3 chair.png", "1 chair.png")
	p.search.SetText("")
	p.kind.SetSelectedIndex(int(previewShots))
	shows()
	p.kind.SetSelectedIndex(int(renderShots))
	o.backend.add(madePictures("/srv/new.py", filepath.Join(dir, "new.png")))
	shows("4 new.png", "3 chair.png", "2 table.png", "2 table.exr", "1 chair.png")

	// Out of sight, nothing decoded stays.
	o.selectTab(o.runs.content)
	if p.cache.order.Len() != 0 {
		t.Errorf("%d thumbnails are kept", p.cache.order.Len())
	}
}

func TestPicturesOfTenThousandRunsAreFound(t *testing.T) {
	var runs []api.Run
	for n := range 10_000 {
		r := api.Run{Script: fmt.Sprintf("/srv/%d.py", n), State: api.Succeeded}
		if n == 7 {
			r.Outputs = []string{"/srv/old.png"}
		}
		runs = append(runs, r)
	}
	o := openWindow(t, runs...)
	p := o.goToPictures()
	if p.help.Visible() && p.empty.Text == "" {
		t.Error("the gallery is empty and says nothing")
	}
	o.until("the old picture is found", func() bool { return slices.Equal(p.names(), []string{"8 old.png"}) })
}

func TestAfterAFailureThePicturesAreAskedForWhenAPersonActs(t *testing.T) {
	o := openWindow(t, madePictures("/srv/a.py", "/srv/a.png"))
	p := o.goToPictures()
	o.until("the page is there", func() bool { return !p.loading && p.gallery.complete })
	p.gallery.complete, p.trouble = false, "no engine answers"
	p.fill(0, newGalleryCell()) // as each cell in sight does after the failure
	if p.loading {
		t.Error("a cell asks for pictures again")
	}
	if !p.viewer.older() || !p.loading {
		t.Error("a person who steps on does not ask for pictures again")
	}
	o.until("the pictures come", func() bool { return p.gallery.complete && p.trouble == "" })
}

func TestARunThatEndsWhileItsPageComesIsNotLost(t *testing.T) {
	t.Parallel()
	g := &gallery{}
	g.reset()
	run := func(id string, files ...string) api.Run { return api.Run{ID: id, State: api.Succeeded, Outputs: files} }
	if g.update(run("9", "/a.png")) {
		t.Error("a run is listed before the page in which it is")
	}
	g.add([]api.Run{run("8", "/b.png"), run("7")}, 2)
	if !g.update(run("9", "/a.png")) || !g.update(run("8", "/b.png", "/c.png")) || g.update(run("6", "/d.png")) || g.update(run("7")) {
		t.Error("a change was not noted, or too much was")
	}
	g.add([]api.Run{run("6", "/d.png")}, 2)
	var ids []string
	for _, s := range g.visible {
		ids = append(ids, keyOf(s))
	}
	if want := []string{"9/0", "8/0", "8/1", "6/0"}; !slices.Equal(ids, want) || !g.complete {
		t.Errorf("%v, want %v", ids, want)
	}
}

func TestThePictureOfTheRunBeforeIsFound(t *testing.T) {
	t.Parallel()
	g := &gallery{}
	g.reset()
	g.add([]api.Run{
		{ID: "5", Script: "/a.py", State: api.Succeeded, Outputs: []string{"/5/x.png", "/5/y.png", "/5/z.png"}, Preview: "/p5.jpg"},
		{ID: "4", Script: "/b.py", State: api.Succeeded, Outputs: []string{"/4/x.png"}},
		{ID: "3", Script: "/a.py", State: api.Failed},
		{ID: "2", Script: "/a.py", State: api.Succeeded, Outputs: []string{"/2/other.png", "/2/x.png"}, Preview: "/p2.jpg"},
		{ID: "1", Script: "/a.py", State: api.Succeeded, Outputs: []string{"/1/y.png"}},
	}, 100)
	for key, want := range map[string]string{"5/0": "2/1", "5/1": "2/1", "5/2": "", "5/-1": "2/-1", "4/0": "", "2/-1": ""} {
		i := slices.IndexFunc(g.all, func(s shot) bool { return keyOf(s) == key })
		found, there := g.earlier(g.all[i])
		if there != (want != "") || there && keyOf(found) != want {
			t.Errorf("before %s comes %v, %v, want %q", key, found, there, want)
		}
	}
	if n := len(g.sequence(g.all[0])); n != 8 {
		t.Errorf("the viewer steps through %d pictures", n)
	}
}

func TestThumbnailsAreMadeOneByOneTheLastWantedFirst(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan string, 1000), make(chan struct{})
	var mu sync.Mutex
	var made []string
	l := &thumbLoader{
		ctx: context.Background(),
		load: func(_ context.Context, s shot) thumb {
			begun <- s.path
			<-goOn
			return thumb{words: s.path}
		},
		done: func(key string, got thumb) {
			mu.Lock()
			defer mu.Unlock()
			made = append(made, key)
		},
	}
	l.want("first", shot{path: "first"})
	<-begun
	for n := range 3 * queuedThumbs {
		l.want(fmt.Sprint(n), shot{})
	}
	l.want("5", shot{}) // was scrolled away, and is in sight again
	close(goOn)
	deadline := time.Now().Add(patience)
	for {
		mu.Lock()
		n := len(made)
		mu.Unlock()
		if n == queuedThumbs+1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d thumbnails were made", n)
		}
		time.Sleep(time.Millisecond)
	}
	if made[1] != "5" || made[2] != fmt.Sprint(3*queuedThumbs-1) {
		t.Errorf("they came as %v", made[:5])
	}

	var c thumbCache
	for n := range 3 * keptThumbs {
		c.put(fmt.Sprint(n), thumb{})
		c.get("0")
	}
	_, first := c.get("0")
	_, second := c.get("1")
	if c.order.Len() != keptThumbs || len(c.byKey) != keptThumbs || !first || second {
		t.Errorf("%d are kept, %v, %v", c.order.Len(), first, second)
	}
}

// viewed opens a picture of the newest run in the viewer, and waits for it.
func (o *open) viewed(key string) *viewer {
	o.t.Helper()
	p := o.goToPictures()
	i := slices.IndexFunc(p.gallery.visible, func(s shot) bool { return keyOf(s) == key })
	if i < 0 {
		o.t.Fatalf("%s is not in %v", key, p.names())
	}
	o.Canvas().Capture()
	p.grid.Select(i)
	o.until("the picture is shown", func() bool { return p.viewer.opened && p.viewer.one.pane.shown != nil })
	return p.viewer
}

func TestTheViewerZoomsMovesAndSteps(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	picture(t, file("1.png"), image.Pt(3000, 2000))
	picture(t, file("2.png"), image.Pt(300, 200))
	picture(t, file("3.png"), image.Pt(600, 400))
	if err := os.WriteFile(file("broken.png"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := openWindow(t,
		madePictures("/srv/a.py", file("1.png")),
		madePictures("/srv/other.py", file("3.png")),
		madePictures("/srv/a.py", file("2.png"), file("broken.png")),
	)
	v := o.viewed("3/0")
	if o.Canvas().Focused() != v.one.pane || o.pictures.browse.Visible() {
		t.Error("the picture has not the focus, or the gallery is in sight")
	}
	key := func(name fyne.KeyName) { v.one.pane.TypedKey(&fyne.KeyEvent{Name: name}) }
	shows := func(want string) {
		t.Helper()
		o.until(want+" is shown", func() bool { return keyOf(v.one.of) == want })
	}
	key(fyne.KeyLeft) // there is none before
	shows("3/0")
	key(fyne.KeyRight)
	shows("3/1")
	o.until("it says why there is no picture", func() bool { return strings.Contains(v.one.words.Text, "can't be read") && v.one.pane.shown == nil })
	key(fyne.KeyRight)
	shows("1/0") // of the same script, one run before
	o.until("the large picture is there", func() bool { return v.one.pane.shown != nil && v.one.pane.shown.size.X == 3000 })
	if v.one.words.Text != "" || !v.after.Disabled() || v.before.Disabled() {
		t.Errorf("it says %q, and a person can go on, or not back", v.one.words.Text)
	}

	pane := v.one.pane
	w, h, _ := pane.pixels()
	if s := pane.scale(w, h); s > 0.5 {
		t.Errorf("the whole has a zoom of %g", s)
	}
	pane.TypedRune('1')
	if v.view.fit || v.view.zoom != 1 || !strings.Contains(v.zoom.Text, "3000 × 2000 · 100 %") {
		t.Errorf("in full size it is %+v and says %q", v.view, v.zoom.Text)
	}
	// The wheel leaves what is under the pointer where it is.
	at := func(px, py float64) (float64, float64) {
		s := pane.scale(w, h)
		x, y := pane.middle(w, h, s)
		return x*3000 + (px-float64(w)/2)/s, y*2000 + (py-float64(h)/2)/s
	}
	x, y := at(100, 50)
	wheel := &fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, 10)}
	wheel.Position = fyne.NewPos(100, 50)
	pane.Scrolled(wheel)
	if x2, y2 := at(100, 50); v.view.zoom <= 1 || max(x2-x, x-x2) > 1 || max(y2-y, y-y2) > 1 {
		t.Errorf("zoomed to %g, from %g, %g to %g, %g", v.view.zoom, x, y, x2, y2)
	}
	drag := &fyne.DragEvent{Dragged: fyne.NewDelta(-30, -20)}
	before := v.view.x
	pane.Dragged(drag)
	if v.view.x <= before {
		t.Error("the picture was not moved")
	}
	for range 1000 {
		pane.Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(-1000, 0)})
	}
	if x, _ := at(float64(w), 0); x > 3000.5 {
		t.Errorf("it was moved out of sight, to %g", x)
	}
	for range 100 {
		pane.TypedRune('+')
	}
	if v.view.zoom > maxZoom {
		t.Errorf("the zoom is %g", v.view.zoom)
	}
	if c := color.RGBAModel.Convert(pane.draw(w, h).At(w/2, h/2)).(color.RGBA); c.R != 200 || c.G != 100 || c.B != 50 {
		t.Errorf("it shows the colour %v", c)
	}
	pane.TypedRune('0')
	if !v.view.fit {
		t.Error("the whole is not shown")
	}
	key(fyne.KeyEscape)
	if v.opened || !o.pictures.browse.Visible() || pane.shown != nil || pane.buffer != nil || o.Canvas().Focused() != o.pictures.grid {
		t.Error("it is not closed, or keeps the picture, or the gallery has not the focus")
	}
}

func TestTheLastSceneIsDrawnAsAPersonChooses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "large.jpg")
	picture(t, file, image.Pt(64, 32))
	o := openWindow(t, succeeded("/srv/a.py"))
	o.backend.picture = file
	p := o.goToPictures()
	d := p.drawer
	test.Tap(d.button)
	if o.Canvas().Overlays().Top() == nil {
		t.Fatal("nobody is asked how")
	}
	d.engine.SetSelectedIndex(2)
	d.view.SetSelectedIndex(2)
	d.size.SetSelectedIndex(2)
	o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	o.until("the picture is shown", func() bool { return p.viewer.opened && p.viewer.one.pane.shown != nil && !d.button.Disabled() })
	o.backend.mu.Lock()
	drawn := slices.Clone(o.backend.drawn)
	o.backend.mu.Unlock()
	if want := (api.PreviewRequest{Engine: "workbench", View: "front", Size: 1920}); len(drawn) != 1 || drawn[0] != want {
		t.Errorf("asked was %+v, want %+v", drawn, want)
	}
	if !strings.Contains(p.viewer.title.Text, "the scene · a.py") || !p.viewer.after.Disabled() || !p.viewer.before.Disabled() {
		t.Errorf("it says %q, or a person can step", p.viewer.title.Text)
	}
	p.viewer.close()
	d.view.SetSelectedIndex(4)
	d.draw()
	o.until("it says why there is none", func() bool { return o.Canvas().Overlays().Top() != nil && !d.button.Disabled() })
}

func TestARenderIsSeenWhileItGoesOn(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	picture(t, file("1.png"), image.Pt(40, 20))
	picture(t, file("2.png"), image.Pt(80, 40))
	o := openWindow(t, madePictures("/srv/a.py"))
	p := o.goToPictures()
	o.until("the run is there", func() bool { return p.gallery.complete })
	run := succeeded("/srv/a.py")
	run.ID, run.State, run.Preview = "2", api.Running, file("1.png")
	live := func(path string) {
		next := run
		next.Preview = path
		o.heard(api.Event{Kind: api.KindPreview, ID: "2", Run: &next, Live: true})
	}
	live(file("1.png"))
	o.until("it is listed", func() bool { return len(p.gallery.visible) == 1 && p.gallery.visible[0].live })
	v := o.viewed("2/-1")
	o.until("the first frame is shown", func() bool { return v.one.pane.shown != nil && v.one.pane.shown.size.X == 40 })
	live(file("2.png"))
	o.until("the second frame is shown", func() bool { return v.one.pane.shown.size.X == 80 })
	live(file("none.png")) // is being written: the frame before stays
	o.until("it is noted", func() bool { return v.one.of.path == file("none.png") })
	picture(t, file("3.png"), image.Pt(160, 80))
	run.State, run.Preview, run.Outputs = api.Succeeded, "", []string{file("1.png"), file("2.png"), file("3.png")}
	o.heard(api.Event{Kind: api.KindRun, ID: "2", Run: &run})
	o.until("the last file is shown", func() bool {
		return v.one.of.path == file("3.png") && v.one.pane.shown != nil && v.one.pane.shown.size.X == 160
	})
	if slices.ContainsFunc(p.gallery.all, func(s shot) bool { return s.live }) || len(p.gallery.all) != 3 {
		t.Errorf("it lists %v", p.names())
	}
}

func TestARenderThatEndsWithoutFilesLeavesTheGallery(t *testing.T) {
	o := openWindow(t, madePictures("/srv/a.py"))
	p := o.goToPictures()
	o.until("the run is there", func() bool { return p.gallery.complete })
	run := succeeded("/srv/a.py")
	run.ID, run.State, run.Preview = "2", api.Running, filepath.Join(t.TempDir(), "1.png")
	o.heard(api.Event{Kind: api.KindPreview, ID: "2", Run: &run, Live: true})
	o.until("it is listed", func() bool { return len(p.gallery.visible) == 1 })
	ended := run
	ended.State, ended.Preview = api.Failed, ""
	o.heard(api.Event{Kind: api.KindRun, ID: "2", Run: &ended})
	o.until("it is gone", func() bool { return len(p.gallery.visible) == 0 })
	if live, final := (shot{run: &run, path: "/1.png", output: scenePreview, live: true}), (shot{run: &run, path: "/1.png", output: scenePreview}); thumbKeyOf(live) == thumbKeyOf(final) {
		t.Error("a frame is taken for the picture of the run")
	}
}

func TestAReloadLeavesThePicturesAsFarAsTheyWere(t *testing.T) {
	var runs []api.Run
	for n := range pageRuns + 10 {
		runs = append(runs, madePictures("/srv/a.py", fmt.Sprintf("/srv/%d.png", n)))
	}
	o := openWindow(t, runs...)
	p := o.goToPictures()
	o.until("a page is there", func() bool { return !p.loading && len(p.gallery.all) == pageRuns })
	p.load()
	o.until("all are there", func() bool { return len(p.gallery.all) == pageRuns+10 })
	o.heard(api.Event{Kind: api.KindHistory, ID: "7"})
	o.until("it asks again", func() bool { return p.loading })
	if len(p.gallery.all) != pageRuns+10 {
		t.Errorf("%d pictures are left meanwhile", len(p.gallery.all))
	}
	o.until("the answer is there", func() bool { return !p.loading })
	if len(p.gallery.all) != pageRuns+10 || !p.gallery.complete {
		t.Errorf("%d pictures are left", len(p.gallery.all))
	}
}

func TestADrawnSceneWaitsForThePerson(t *testing.T) {
	o := openWindow(t, madePictures("/srv/a.py"))
	p := o.goToPictures()
	o.selectTab(o.runs.content)
	r := succeeded("/srv/a.py")
	r.ID = "1"
	p.drawn(shot{run: &r, path: filepath.Join(t.TempDir(), "1.png"), output: largePreview})
	if p.viewer.opened || !strings.Contains(o.banner.Text, "see the tab Pictures") {
		t.Errorf("it is opened, or not told: %q", o.banner.Text)
	}
	o.selectTab(p.content)
	if !p.viewer.opened {
		t.Error("the picture is lost")
	}
}

func TestTwoPicturesAreCompared(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name, "out.png") }
	for i, name := range []string{"one", "two", "three"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		picture(t, file(name), image.Pt(400*(i+1), 300*(i+1)))
	}
	o := openWindow(t,
		madePictures("/srv/a.py", file("one")), madePictures("/srv/a.py", file("two")), madePictures("/srv/a.py", file("three")),
	)
	v := o.viewed("3/0")
	v.one.pane.TypedRune('c')
	o.until("both are shown", func() bool { return v.comparing && v.two.pane.shown != nil && keyOf(v.two.of) == "2/0" })
	o.Canvas().Capture()
	if v.one.pane.Size() != v.two.pane.Size() || v.one.pane.Size().Width < 400 {
		t.Errorf("they have the sizes %v and %v", v.one.pane.Size(), v.two.pane.Size())
	}
	v.one.pane.TypedRune('1')
	w, h, _ := v.one.pane.pixels()
	// The same part of both is in sight: a third of a picture that has two thirds of the pixels.
	if one, two := v.one.pane.scale(w, h)*1200, v.two.pane.scale(w, h)*800; one != two {
		t.Errorf("they are %g and %g wide", one, two)
	}
	v.two.pane.Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(-50, 0)})
	x1, _ := v.one.pane.middle(w, h, v.one.pane.scale(w, h))
	x2, _ := v.two.pane.middle(w, h, v.two.pane.scale(w, h))
	if x1 != x2 || x1 <= 0.5 {
		t.Errorf("they are at %g and %g", x1, x2)
	}
	v.one.pane.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	o.until("the oldest is beside it", func() bool { return keyOf(v.two.of) == "1/0" && keyOf(v.one.of) == "3/0" })
	v.one.pane.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if v.comparing || !v.opened || v.two.pane.shown != nil {
		t.Error("the comparison has not ended, or with it the viewer")
	}
	// A picture without an earlier one is not compared.
	v.one.pane.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	v.one.pane.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	o.until("the oldest is shown", func() bool { return keyOf(v.one.of) == "1/0" })
	v.one.pane.TypedRune('c')
	if v.comparing {
		t.Error("it is compared with nothing")
	}
}

func TestALargePictureIsDrawnFromSmallerLevels(t *testing.T) {
	t.Parallel()
	whole := image.NewRGBA(image.Rect(0, 0, 4000, 1000))
	for x := 0; x < 4000; x += 2 { // stripes, which are grey from afar
		for y := range 1000 {
			whole.SetRGBA(x, y, color.RGBA{255, 255, 255, 255})
		}
	}
	l := newLevels(whole)
	if len(l.all) != 4 || l.all[3].Rect.Dx() != 500 || l.size.X != 4000 || l.level(900).Rect.Dx() != 1000 || l.level(9000).Rect.Dx() != 4000 {
		t.Errorf("%d levels, of %v", len(l.all), l.size)
	}
	if c := l.level(500).RGBAAt(250, 60); c.R < 100 || c.R > 155 {
		t.Errorf("the stripes have become %v", c)
	}
}
