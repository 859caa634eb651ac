//go:build !headless

package tray

import (
	"context"
	"image"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// previewKey is the setting that says whether pictures are made.
const previewKey = "runs.preview"

// picturesTab is the tab Pictures: all pictures that runs have made and the previews of their scenes,
// newest first, and the viewer of one of them.
type picturesTab struct {
	window  *window
	content *fyne.Container
	browse  fyne.CanvasObject
	search  *entry
	kind    *widget.Select
	grid    *pictureGrid
	empty   *widget.Label
	on      *widget.Button
	help    fyne.CanvasObject // empty and on
	viewer  *viewer
	drawer  *sceneDrawer

	gallery gallery
	cache   thumbCache
	files   *thumbLoader            // reads files
	engine  *thumbLoader            // asks the engine, which may take seconds
	cells   map[string]*galleryCell // the cells that wait for a thumbnail
	shown   bool                    // the tab is in sight
	loading bool
	asked   int       // counts reloads, so that the answer to an older request is dropped
	during  []api.Run // what has changed since a page was asked for
	late    *shot     // the picture of a scene that came while the tab was out of sight
	trouble string    // why the last page did not come, or ""

	mu     sync.Mutex
	queued []api.Run
	busy   bool
}

// pictureGrid is a GridWrap in which Enter opens a picture.
type pictureGrid struct {
	widget.GridWrap
}

func (g *pictureGrid) TypedKey(key *fyne.KeyEvent) {
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		g.GridWrap.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	case fyne.KeyHome:
		g.Highlight(0)
	case fyne.KeyEnd:
		g.Highlight(max(0, g.Length()-1))
	default:
		g.GridWrap.TypedKey(key)
	}
}

func newPicturesTab(w *window) *picturesTab {
	t := &picturesTab{window: w, cells: map[string]*galleryCell{}}
	t.gallery.reset()
	t.files = &thumbLoader{ctx: w.shell.ctx, load: t.read, done: t.made}
	t.engine = &thumbLoader{ctx: w.shell.ctx, load: t.read, done: t.made}
	t.search = &entry{typed: w.typed}
	t.search.ExtendBaseWidget(t.search)
	t.search.SetPlaceHolder(lang.L("Search by script or file"))
	t.search.OnChanged = func(string) { t.choose() }
	t.kind = widget.NewSelect([]string{lang.L("All pictures"), lang.L("Renders and images"), lang.L("Previews of scenes")}, nil)
	t.kind.SetSelectedIndex(0)
	t.kind.OnChanged = func(string) { t.choose() }
	t.grid = &pictureGrid{}
	t.grid.Length = func() int { return len(t.gallery.visible) }
	t.grid.CreateItem = func() fyne.CanvasObject { return newGalleryCell() }
	t.grid.UpdateItem = t.fill
	t.grid.OnSelected = func(i widget.GridWrapItemID) {
		t.grid.UnselectAll() // the next click opens it again
		t.openAt(i)
	}
	t.grid.ExtendBaseWidget(t.grid)
	t.empty = widget.NewLabel("")
	t.empty.Alignment = fyne.TextAlignCenter
	t.empty.Wrapping = fyne.TextWrapWord
	t.on = widget.NewButtonWithIcon(lang.L("Make previews of scenes from now on"), theme.VisibilityIcon(), func() {
		w.change(func(ctx context.Context) (api.SettingsReport, error) {
			return w.shell.cfg.Client.SetSetting(ctx, previewKey, "cycles")
		}, w.failed)
	})
	t.help = container.NewCenter(container.NewGridWrap(fyne.NewSize(480, 140), container.NewVBox(t.empty, container.NewCenter(t.on))))
	t.viewer = newViewer(w, &t.gallery, t.again, t.leaveViewer)
	t.drawer = newSceneDrawer(w, t.drawn)
	t.browse = container.NewBorder(
		container.NewBorder(nil, nil, nil, container.NewHBox(t.kind, t.drawer.button), t.search), nil, nil, nil,
		container.NewStack(t.grid, t.help),
	)
	t.viewer.content.Hide()
	t.content = container.NewStack(t.browse, t.viewer.content)
	t.refresh()
	return t
}

// appear is called when the tab comes into sight, or goes out of sight with false: then what it has
// decoded goes.
func (t *picturesTab) appear(on bool) {
	if t.shown == on {
		return
	}
	t.shown = on
	if on {
		t.again()
		t.refresh()
		if s := t.late; s != nil {
			t.late = nil
			t.open(*s)
		}
		return
	}
	t.files.forget()
	t.engine.forget()
	t.cache.clear()
	t.cells = map[string]*galleryCell{}
	t.grid.Refresh() // its cells let go of their pictures
	if t.viewer.opened {
		t.viewer.close()
	} else {
		go debug.FreeOSMemory() // it takes a while
	}
}

// reload asks for the runs again, from the newest on and as far as before. What is shown stays until they are
// there.
func (t *picturesTab) reload() {
	t.asked++
	t.loading, t.trouble = false, ""
	t.cache.clear()
	if !t.shown || t.gallery.before == "" {
		t.gallery.reset()
		t.load()
		t.refresh()
		return
	}
	t.loading, t.during = true, nil
	asked, far := t.asked, t.gallery.before
	fetch(t.window, func(ctx context.Context) (all [][]api.Run, err error) {
		for before := ""; ; {
			page, err := t.window.shell.cfg.Client.Runs(ctx, api.Filter{Limit: pageRuns, Before: before})
			if err != nil {
				return nil, err
			}
			if all = append(all, page); len(page) < pageRuns {
				return all, nil
			}
			if before = page[len(page)-1].ID; !newer(before, far) {
				return all, nil
			}
		}
	}, func(all [][]api.Run, err error) {
		if asked != t.asked {
			return // the list has begun anew since
		}
		if err == nil {
			t.gallery.reset()
		}
		for _, page := range all {
			t.gallery.add(page, pageRuns)
		}
		t.came(err)
	})
}

// came notes that what was asked for has come, or why it has not.
func (t *picturesTab) came(err error) {
	t.loading, t.trouble = false, ""
	if err != nil {
		t.trouble = err.Error() // the next engine brings a reload
	}
	for _, r := range t.during {
		t.gallery.update(r) // the page may be older than the event
	}
	t.during = nil
	t.refresh()
}

// again is load for what a person does: it asks also after a request that has failed.
func (t *picturesTab) again() bool {
	t.trouble = ""
	return t.load()
}

// load asks for the next page of runs while the tab is in sight, and reports whether there is any. It asks
// nothing after a request that has failed: the failure draws the cells again, and each of them calls load.
func (t *picturesTab) load() bool {
	if t.gallery.complete {
		return false
	}
	if t.loading || !t.shown || t.trouble != "" {
		return true
	}
	t.loading, t.during = true, nil
	asked, filter := t.asked, api.Filter{Limit: pageRuns, Before: t.gallery.before}
	fetch(t.window, func(ctx context.Context) ([]api.Run, error) {
		return t.window.shell.cfg.Client.Runs(ctx, filter)
	}, func(page []api.Run, err error) {
		if asked != t.asked {
			return // the list has begun anew since
		}
		if err == nil {
			t.gallery.add(page, pageRuns)
		}
		t.came(err)
	})
	return true
}

// pictureFilter says which pictures the gallery shows.
type pictureFilter struct {
	Search string   `json:"search"`
	Kind   shotKind `json:"kind"`
}

// filter returns what a person has searched for.
func (t *picturesTab) filter() pictureFilter {
	return pictureFilter{Search: t.search.Text, Kind: t.gallery.kind}
}

// setFilter searches for what a person has searched for in the last window.
func (t *picturesTab) setFilter(f pictureFilter) {
	if f.Kind < 0 || int(f.Kind) >= len(t.kind.Options) {
		f.Kind = allShots // another version has kept it
	}
	t.search.Text = f.Search
	t.search.Refresh()
	t.kind.Selected = t.kind.Options[f.Kind]
	t.kind.Refresh()
	t.match()
}

// match has the gallery show what matches the search, once the tab is refreshed.
func (t *picturesTab) match() {
	t.gallery.text = strings.ToLower(strings.TrimSpace(t.search.Text))
	t.gallery.kind = shotKind(max(0, t.kind.SelectedIndex()))
	t.gallery.choose()
}

// choose shows the pictures that match what a person searches for.
func (t *picturesTab) choose() {
	t.match()
	t.grid.ScrollToTop()
	t.refresh()
}

// enoughShots is how many pictures are listed before a person scrolls: as many as a large screen shows.
const enoughShots = 60

// refresh shows the gallery as it is now.
func (t *picturesTab) refresh() {
	if t.trouble == "" && len(t.gallery.visible) < enoughShots {
		t.load() // runs without pictures are no reason to show nothing
	}
	words, offer := t.emptyWords()
	t.empty.SetText(words)
	t.on.Hidden = !offer
	t.help.Hide()
	if words != "" {
		t.help.Show()
	}
	if t.shown {
		t.grid.Refresh()
		t.viewer.listed()
	}
}

// emptyWords returns the sentence that says why the gallery is empty, or "" when it is not, and whether
// previews are off and would be of use.
func (t *picturesTab) emptyWords() (words string, offer bool) {
	made, known := t.window.report.Find(previewKey)
	off := known && made.Text() == "off"
	g := &t.gallery
	switch {
	case len(g.visible) > 0:
		return "", false
	case t.trouble != "":
		return lang.L("The runs can't be listed: {{.Why}}", map[string]any{"Why": t.trouble}), false
	case !g.complete:
		return lang.L("Looking for pictures…"), false
	case g.text != "":
		return lang.L("No picture matches. The search looks at names of scripts and of files."), false
	case g.kind == previewShots && off:
		return lang.L("Blendtray can make a small picture of the scene after each run, when no other run is waiting."), true
	case g.kind == previewShots:
		return lang.L("There is no preview yet. The picture of the next run's scene appears here."), false
	case off:
		return lang.L("No run has made a picture yet. What a script renders or saves as an image appears here. Blendtray can also make a small picture of the scene after each run, when no other run is waiting."), g.kind == allShots
	}
	return lang.L("No run has made a picture yet. What a script renders or saves as an image appears here."), false
}

// fill shows a picture in a cell of the grid.
func (t *picturesTab) fill(i widget.GridWrapItemID, o fyne.CanvasObject) {
	cell := o.(*galleryCell)
	if i >= len(t.gallery.visible) {
		return
	}
	s := t.gallery.visible[i]
	name, about := api.NameInLine(s.name()), nameOf(*s.run)+" · "+when(s.run.QueuedAt, time.Now())
	switch {
	case s.live:
		name = lang.L("rendering")
	case s.isPreview():
		name = lang.L("scene")
	}
	cell.name.SetText(name)
	cell.about.SetText(about)
	key := thumbKeyOf(s)
	other := cell.of != keyOf(s)
	if cell.key != key {
		delete(t.cells, cell.key)
	}
	cell.key, cell.of = key, keyOf(s)
	switch made, there := t.cache.get(cell.key); {
	case !t.shown:
		cell.show(thumb{})
	case there:
		cell.show(made)
	default:
		if other { // else the picture before stays until the new one is there
			cell.show(thumb{})
		}
		t.cells[cell.key] = cell
		if s.made() {
			t.engine.want(cell.key, s)
		} else {
			t.files.want(cell.key, s)
		}
	}
	if i > len(t.gallery.visible)-enoughShots/2 {
		t.load()
	}
}

// read makes the thumbnail of a shot, on the goroutine of the loader.
func (t *picturesTab) read(ctx context.Context, s shot) thumb {
	small, err := t.window.readShot(ctx, s, image.Pt(2*cellWidth, 2*cellHeight))
	switch {
	case err == nil:
		return thumb{image: small}
	case s.live:
		return thumb{} // the next picture is being written
	}
	return thumb{words: missingWords(s, err)}
}

// made shows a thumbnail that was made.
func (t *picturesTab) made(key string, made thumb) {
	t.window.shell.do(func() {
		if !t.shown {
			return
		}
		cell := t.cells[key]
		delete(t.cells, key)
		if made == (thumb{}) {
			return // the picture before stays
		}
		t.cache.put(key, made)
		if cell != nil && cell.key == key { // else it shows another picture by now
			cell.show(made)
		}
	})
}

// heard notes a run that has changed, to be shown soon with others. It may be called on any goroutine.
func (t *picturesTab) heard(r api.Run) {
	if !r.State.Final() && len(shotsOf(r)) == 0 {
		return // while the end of a run without files removes the picture of its render
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued = append(t.queued, r)
	if !t.busy {
		t.busy = true
		time.AfterFunc(repaint, func() { t.window.shell.do(t.showHeard) })
	}
}

// showHeard shows the runs that have changed.
func (t *picturesTab) showHeard() {
	t.mu.Lock()
	runs := t.queued
	t.queued, t.busy = nil, false
	t.mu.Unlock()
	changed := false
	for _, r := range runs {
		changed = t.gallery.update(r) || changed
		if t.loading {
			t.during = append(t.during, r)
		}
		for _, s := range shotsOf(r) {
			t.cache.drop(thumbKeyOf(s)) // the file may have changed
		}
	}
	if changed {
		t.refresh()
	}
}

// openAt opens the picture at a place of the grid.
func (t *picturesTab) openAt(i int) {
	if i >= 0 && i < len(t.gallery.visible) {
		t.open(t.gallery.visible[i])
	}
}

// open shows a picture in the viewer.
func (t *picturesTab) open(s shot) {
	t.browse.Hide()
	t.viewer.content.Show()
	t.viewer.open(s)
	t.content.Refresh()
}

// drawn shows the picture of a scene. A person who has gone elsewhere since is told where the picture is.
func (t *picturesTab) drawn(s shot) {
	if t.shown {
		t.open(s)
		return
	}
	t.late = &s
	t.window.note(lang.L("The picture of the scene is there: see the tab Pictures."))
}

// leaveViewer shows the gallery again.
func (t *picturesTab) leaveViewer() {
	t.viewer.content.Hide()
	t.browse.Show()
	t.content.Refresh()
	t.focus()
}

// focus goes to the picture that is shown, or to the gallery.
func (t *picturesTab) focus() {
	if t.viewer.opened {
		t.viewer.focus()
	} else if t.shown {
		t.window.Canvas().Focus(t.grid)
	}
}

// find goes to the field to search in.
func (t *picturesTab) find() {
	t.viewer.close()
	t.window.Canvas().Focus(t.search)
}
