//go:build !headless

package tray

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// runDetail shows everything about one run.
type runDetail struct {
	window  *window
	content fyne.CanvasObject
	run     api.Run

	title, about, cause          *widget.Label
	output                       *outputView
	feed                         *outputFeed
	images                       *fyne.Container
	pictures                     string // the paths of the shown images, to compare
	again, cancel, script, where *widget.Button
	scene                        *widget.Button // opens the scene that the run left
}

func newRunDetail(w *window) *runDetail {
	d := &runDetail{window: w}
	d.title = widget.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	d.title.Truncation = fyne.TextTruncateEllipsis
	d.about = widget.NewLabel("")
	d.about.Truncation = fyne.TextTruncateEllipsis
	d.cause = widget.NewLabel("")
	d.cause.Wrapping = fyne.TextWrapWord
	d.cause.Importance = widget.DangerImportance
	d.output = newOutputView(w)
	d.feed = &outputFeed{ctx: w.shell.ctx, pane: d.output.pane, ask: w.shell.cfg.Client.Output}
	d.output.beginning = func() func(context.Context) ([]byte, error) {
		id := d.run.ID
		return func(ctx context.Context) ([]byte, error) {
			text, _, _, err := w.shell.cfg.Client.Output(ctx, id, 0)
			return text, err
		}
	}
	d.images = container.NewHBox()
	s := w.shell
	d.again = widget.NewButtonWithIcon("Run again", theme.MediaReplayIcon(), func() {
		id := d.run.ID
		fetch(w, func(ctx context.Context) (api.Run, error) { return s.cfg.Client.Retry(ctx, id) },
			func(r api.Run, err error) {
				if err != nil {
					w.fail(err)
					return
				}
				d.show(r)
			})
	})
	d.cancel = widget.NewButtonWithIcon("Cancel", theme.CancelIcon(), func() { s.ask(Item{Do: CancelRun, ID: d.run.ID}) })
	d.script = widget.NewButtonWithIcon("Open script", theme.DocumentIcon(), func() {
		path, line := d.run.Script, 0
		if d.run.Error != nil {
			line = d.run.Error.Line
		}
		w.edit(path, line)
	})
	d.where = widget.NewButtonWithIcon("Show in folder", theme.FolderOpenIcon(), func() {
		folder := filepath.Dir(d.run.Script)
		s.try("open the folder", func(context.Context) error { return s.cfg.Host.Open(folder, 0) })
	})
	d.scene = widget.NewButtonWithIcon("Open in Blender", theme.ComputerIcon(), func() {
		id := d.run.ID
		d.scene.Disable()
		w.runs.picked = true // the run that saves the copy does not take its place
		fetchWithin(w, inBlender, func(ctx context.Context) (string, error) { return id, s.cfg.Host.OpenScene(ctx, id) },
			func(_ string, err error) {
				enable(d.scene, leavesScene(d.run))
				w.failed(err)
			})
	})
	buttons := container.New(layout.NewRowWrapLayout(), d.again, d.cancel, d.script, d.where, d.scene)
	head := container.NewVBox(d.title, d.about, d.cause, container.NewPadded(buttons), container.NewHScroll(container.NewPadded(d.images)))
	d.content = container.NewBorder(head, nil, nil, nil, d.output.content)
	d.set(api.Run{})
	return d
}

// show shows a run and what it prints.
func (d *runDetail) show(r api.Run) {
	defer d.window.runs.mark()
	other := r.ID != d.run.ID
	d.set(r)
	if other {
		d.feed.show(r)
	} else {
		d.feed.update(r)
	}
}

func (d *runDetail) set(r api.Run) {
	d.run = r
	for _, b := range []*widget.Button{d.again, d.cancel, d.script, d.where, d.scene} {
		b.Show()
		if r.ID == "" {
			b.Hide()
		}
	}
	if r.ID == "" {
		d.title.SetText("")
		d.about.SetText("")
		d.cause.Hide()
		return
	}
	enable(d.again, r.State.Final())
	enable(d.cancel, !r.State.Final())
	enable(d.scene, leavesScene(r))
	enable(d.script, filepath.IsAbs(r.Script) && !r.RendersOnly())
	enable(d.where, filepath.IsAbs(r.Script))
	d.title.SetText(nameOf(r) + " · " + stateWord(r.State))
	about := fmt.Sprintf("run %s · %s · scene %s", r.ID, when(r.QueuedAt, time.Now()), sceneWord(r.Scene))
	if r.Render != nil {
		about += " · renders " + oneLine(r.Render.String(), maxLabel)
	}
	if r.HasTaken() {
		about += " · " + clock(elapsed(r, time.Now()))
	}
	if r.BlenderVersion != "" {
		about += " · Blender " + r.ExecutedBy()
	}
	if r.Session != "" {
		about += " · session " + r.Session
	}
	if r.PID != 0 {
		about += fmt.Sprintf(" · process %d", r.PID)
	}
	d.about.SetText(about)
	d.cause.Importance = widget.DangerImportance
	switch {
	case r.State.Final() && r.State != api.Succeeded:
		d.cause.SetText(oneLine(why(r), 300))
		d.cause.Show()
	case len(r.Result) > 0 && string(r.Result) != "null":
		d.cause.Importance = widget.MediumImportance
		d.cause.SetText("result " + oneLine(string(r.Result), 300))
		d.cause.Show()
	default:
		d.cause.Hide()
	}
	d.showImages(r)
	d.window.preview.show(r)
}

// leavesScene reports whether a run has left a scene in a Blender that the engine has started.
func leavesScene(r api.Run) bool {
	return r.State.Final() && r.StartedAt != nil && r.State != api.Crashed && !r.InOpenBlender() && r.Session == ""
}

func sceneWord(scene string) string {
	if filepath.IsAbs(scene) {
		return filepath.Base(scene)
	}
	return scene
}

// showImages shows the files that the run made: pictures as thumbnails, other files by name.
func (d *runDetail) showImages(r api.Run) {
	const most = 12
	paths := r.Outputs
	all := strings.Join(append([]string{r.ID, r.Preview}, paths...), "\n")
	if all == d.pictures {
		return // else the files would be read again
	}
	d.pictures = all
	d.images.RemoveAll()
	if r.Preview != "" {
		d.images.Add(newThumbnail(d.window, r.Preview, "scene", func() { d.window.showPreview(r) }))
	}
	for _, path := range paths[:min(most, len(paths))] {
		open := func() {
			d.window.shell.try("open it", func(context.Context) error { return d.window.shell.cfg.Host.Open(path, 0) })
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".png", ".jpg", ".jpeg", ".webp":
			d.images.Add(newThumbnail(d.window, path, oneLine(filepath.Base(path), 14), open))
		default:
			d.images.Add(widget.NewButtonWithIcon(oneLine(filepath.Base(path), 24), theme.FileIcon(), open))
		}
	}
	if more := len(paths) - most; more > 0 {
		d.images.Add(widget.NewLabel(fmt.Sprintf("and %d more", more)))
	}
	d.images.Refresh()
}

// pictured adds the picture of the scene that a run left, if that run is shown.
func (d *runDetail) pictured(r api.Run) {
	if r.ID == d.run.ID {
		d.run.Preview = r.Preview
		d.showImages(d.run)
	}
}

// heard shows an event of a run that has changed, if that run is shown.
func (d *runDetail) heard(ev api.Event) {
	if ev.ID != d.run.ID || ev.ID == "" || ev.Kind != api.KindRun || ev.Run == nil {
		return
	}
	d.show(*ev.Run)
}
