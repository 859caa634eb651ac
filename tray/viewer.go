//go:build !headless

package tray

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// viewer shows one picture as large as the window, or two beside each other.
type viewer struct {
	window  *window
	content fyne.CanvasObject
	// list is where the pictures come from between which the viewer steps. older asks for earlier runs,
	// and returns false when there are none.
	list  *gallery
	older func() bool
	// closed is called when a person goes back.
	closed func()

	view      viewport
	one, two  *viewerFrame
	pair      *fyne.Container
	title     *widget.Label
	zoom      *widget.Label
	hint      *widget.Label
	before    *widget.Button
	after     *widget.Button
	compare   *widget.Button
	comparing bool
	opened    bool
}

// viewerFrame is a pane with the picture that it shows, and a sentence in its place.
type viewerFrame struct {
	viewer  *viewer
	content fyne.CanvasObject
	pane    *viewerPane
	words   *widget.Label
	caption *widget.Label
	of      shot
	asked   int                // counts what was asked for, so that an answer to an older request is dropped
	stop    context.CancelFunc // ends what is asked for
}

func newViewer(w *window, list *gallery, older func() bool, closed func()) *viewer {
	v := &viewer{window: w, list: list, older: older, closed: closed}
	v.one, v.two = newViewerFrame(v), newViewerFrame(v)
	v.two.content.Hide()
	v.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	v.title.Truncation = fyne.TextTruncateEllipsis
	v.zoom = widget.NewLabel("")
	v.hint = widget.NewLabel("")
	v.hint.Truncation = fyne.TextTruncateEllipsis
	v.hint.SizeName = theme.SizeNameCaptionText
	button := func(text string, icon fyne.Resource, do func()) *widget.Button {
		return widget.NewButtonWithIcon(text, icon, func() {
			do()
			v.focus()
		})
	}
	v.before = button("", theme.NavigateBackIcon(), func() { v.step(-1) })
	v.after = button("", theme.NavigateNextIcon(), func() { v.step(1) })
	v.compare = button(lang.L("Compare"), nil, func() { v.setComparing(!v.comparing) })
	s := w.shell
	top := container.NewBorder(nil, nil,
		container.NewHBox(widget.NewButton(lang.L("Back"), v.close), v.before, v.after),
		container.NewHBox(
			v.zoom,
			button("", theme.ZoomOutIcon(), func() { v.one.pane.zoomBy(1 / zoomStep) }),
			button("", theme.ZoomInIcon(), func() { v.one.pane.zoomBy(zoomStep) }),
			button("", theme.ZoomFitIcon(), v.fit),
			v.compare,
			button(lang.L("Open"), nil, func() {
				path := v.one.of.path
				s.try("open the picture", func(context.Context) error { return s.cfg.Host.Open(path, 0) })
			}),
			button(lang.L("Show in folder"), nil, func() {
				folder := filepath.Dir(v.one.of.path)
				s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(folder, 0) })
			}),
		), v.title)
	v.pair = container.NewGridWithColumns(1, v.one.content)
	v.content = container.NewBorder(top, v.hint, nil, nil, v.pair)
	return v
}

func newViewerFrame(v *viewer) *viewerFrame {
	f := &viewerFrame{viewer: v, stop: func() {}}
	f.pane = newViewerPane(&v.view, v.viewed, v.key, v.typed)
	f.words = widget.NewLabel("")
	f.words.Wrapping = fyne.TextWrapWord
	f.words.Alignment = fyne.TextAlignCenter
	f.caption = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{})
	f.caption.Truncation = fyne.TextTruncateEllipsis
	f.caption.Hide()
	f.content = container.NewBorder(f.caption, nil, nil, nil, container.NewStack(f.pane, container.New(middleLayout{}, f.words)))
	return f
}

// open shows a picture, in its whole.
func (v *viewer) open(of shot) {
	v.opened = true
	v.view = viewport{fit: true, x: 0.5, y: 0.5}
	v.setComparing(false)
	v.one.show(of)
	v.refresh()
	v.focus()
}

// close goes back to where the person came from, and gives back the memory of the pictures.
func (v *viewer) close() {
	if !v.opened {
		return
	}
	v.opened = false
	v.drop()
	v.closed()
}

// drop forgets the decoded pictures.
func (v *viewer) drop() {
	for _, f := range []*viewerFrame{v.one, v.two} {
		f.forget()
		f.pane.show(nil)
		f.of = shot{}
	}
	go debug.FreeOSMemory() // it takes a while
}

func (v *viewer) focus() {
	if v.opened {
		v.window.Canvas().Focus(v.one.pane)
	}
}

// show shows the picture of a shot in a frame. The picture before stays in sight until it is there.
func (f *viewerFrame) show(of shot) {
	f.of = of
	f.forget()
	asked := f.asked
	w := f.viewer.window
	wanted, stop := context.WithCancel(w.shell.ctx)
	f.stop = stop
	fetchWithin(w, decodeTime, func(ctx context.Context) (*levels, error) {
		ctx, end := whileWanted(ctx, wanted)
		defer end()
		whole, err := w.readPicture(ctx, of, decode)
		if err != nil {
			return nil, err
		}
		return newLevels(whole), nil
	}, func(l *levels, err error) {
		switch {
		case asked != f.asked:
			return // another picture is wanted since
		case err != nil && of.live:
			return // the next picture is being written
		case err != nil:
			f.fail(missingWords(of, err))
		default:
			f.words.SetText("")
			f.pane.show(l)
		}
		f.viewer.viewed()
	})
}

// forget drops what is asked for.
func (f *viewerFrame) forget() {
	f.asked++
	f.stop()
}

// fail shows a sentence in the place of the picture.
func (f *viewerFrame) fail(words string) {
	f.pane.show(nil)
	f.words.SetText(words)
	f.content.Refresh() // the sentence stands in the middle
}

// viewed shows the panes again after a change of the viewport or of a picture.
func (v *viewer) viewed() {
	width := 0
	if l := v.one.pane.shown; l != nil {
		width = l.size.X
	}
	v.one.pane.width, v.two.pane.width = width, width
	v.one.pane.raster.Refresh()
	if v.comparing {
		v.two.pane.raster.Refresh()
	}
	v.zoom.SetText(v.zoomWords())
}

func (v *viewer) zoomWords() string {
	p := v.one.pane
	if p.shown == nil {
		return ""
	}
	size := fmt.Sprintf("%d × %d", p.shown.size.X, p.shown.size.Y)
	w, h, _ := p.pixels()
	if w == 0 || h == 0 {
		return size
	}
	return fmt.Sprintf("%s · %.0f %%", size, 100*p.scale(w, h))
}

// refresh shows what belongs to the picture: its name and place in the list, and what can be done.
func (v *viewer) refresh() {
	at, all := v.place()
	of := v.one.of
	title := shotTitle(of)
	if len(all) > 1 && at >= 0 {
		title += " · " + lang.L("{{.At}} of {{.All}}", map[string]any{"At": at + 1, "All": len(all)})
	}
	v.title.SetText(title)
	enable(v.before, at > 0)
	enable(v.after, at >= 0 && (at < len(all)-1 || !v.list.complete))
	_, there := v.list.earlier(of)
	enable(v.compare, v.comparing || there || !v.list.complete)
	if of.made() {
		title += " · " + lang.L("thumbnail")
		v.title.SetText(title)
	}
	text := lang.L("Left and Right: other pictures of the script · + − 0 1: zoom, whole, full size · C: compare with the run before · Escape: back")
	if v.comparing {
		text = lang.L("Left and Right: another picture on the right side · C or Escape: end the comparison")
	}
	v.hint.SetText(text)
	if v.one.caption.Hidden == v.comparing {
		v.one.caption.Hidden, v.two.caption.Hidden = !v.comparing, !v.comparing
		v.one.content.Refresh()
		v.two.content.Refresh()
	}
	v.one.caption.SetText(shotTitle(of))
	v.two.caption.SetText(shotTitle(v.two.of))
	v.viewed()
}

// place returns the pictures between which a person steps, and the index of the one that is shown.
func (v *viewer) place() (int, []shot) {
	of := v.one.of
	if v.comparing {
		of = v.two.of
	}
	all := v.list.sequence(v.one.of)
	return slices.IndexFunc(all, of.same), all
}

// step shows the picture that is so many places further in the list.
func (v *viewer) step(by int) {
	at, all := v.place()
	to := at + by
	if at < 0 || to < 0 {
		return
	}
	if to >= len(all) {
		v.older() // a person may step on when the runs are there
		return
	}
	f := v.one
	if v.comparing {
		f = v.two
	}
	f.show(all[to])
	v.refresh()
}

// setComparing begins or ends the comparison with the same picture of the run before.
func (v *viewer) setComparing(on bool) {
	if on == v.comparing {
		return
	}
	if on {
		other, there := v.list.earlier(v.one.of)
		if !there {
			if !v.older() {
				v.two.of = shot{}
				v.refresh()
			}
			v.hint.SetText(lang.L("No earlier run of this script has this picture."))
			return
		}
		v.comparing = true
		v.pair.Layout = container.NewGridWithColumns(2).Layout
		v.two.content.Show()
		v.pair.Objects = []fyne.CanvasObject{v.one.content, v.two.content}
		v.two.show(other)
	} else {
		v.comparing = false
		v.pair.Layout = container.NewGridWithColumns(1).Layout
		v.two.forget()
		v.two.pane.show(nil)
		v.two.words.SetText("")
		v.pair.Objects = []fyne.CanvasObject{v.one.content}
	}
	v.compare.Importance = widget.MediumImportance
	if on {
		v.compare.Importance = widget.HighImportance
	}
	v.compare.Refresh()
	v.pair.Refresh()
	v.refresh()
}

// fit shows the whole picture.
func (v *viewer) fit() {
	v.view = viewport{fit: true, x: 0.5, y: 0.5}
	v.viewed()
}

// fullSize shows a pixel of the picture as a pixel of the screen.
func (v *viewer) fullSize() {
	size := v.one.pane.Size()
	v.one.pane.zoomTo(1, fyne.NewPos(size.Width/2, size.Height/2))
}

func (v *viewer) key(name fyne.KeyName) {
	switch name {
	case fyne.KeyLeft, fyne.KeyPageUp:
		v.step(-1)
	case fyne.KeyRight, fyne.KeyPageDown:
		v.step(1)
	case fyne.KeyEscape:
		if v.comparing {
			v.setComparing(false)
		} else {
			v.close()
		}
	}
}

func (v *viewer) typed(r rune) {
	switch r {
	case '+', '=':
		v.one.pane.zoomBy(zoomStep)
	case '-':
		v.one.pane.zoomBy(1 / zoomStep)
	case '0':
		v.fit()
	case '1':
		v.fullSize()
	case 'c', 'C':
		v.setComparing(!v.comparing)
	}
}

// listed shows what has changed in the list: newer and older pictures, and a new file of a shown one.
func (v *viewer) listed() {
	if !v.opened {
		return
	}
	for _, f := range []*viewerFrame{v.one, v.two} {
		if f.of.run == nil {
			continue
		}
		now, there := v.list.find(f.of)
		if !there && f.of.live {
			now, there = v.list.successor(f.of) // the run has ended
		}
		if there && (now.path != f.of.path || now.run != f.of.run && (now.live || f.of.live)) {
			f.show(now)
		}
	}
	v.refresh()
}

// shotTitle returns the name of a picture, with its script and when it was made.
func shotTitle(s shot) string {
	if s.run == nil {
		return ""
	}
	name := s.name()
	switch {
	case s.live:
		name = lang.L("the render")
	case s.isPreview():
		name = lang.L("the scene")
	}
	return fmt.Sprintf("%s · %s · %s", nameInLine(name, 40), nameOf(*s.run), when(s.run.QueuedAt, time.Now()))
}
