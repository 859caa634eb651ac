//go:build !headless

package tray

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// previewKey is the setting that says whether pictures are made.
const previewKey = "runs.preview"

// previewTab is the tab Preview: a picture of the scene that the newest run, or the chosen run,
// has left.
type previewTab struct {
	window  *window
	content fyne.CanvasObject
	title   *widget.Label
	image   *canvas.Image
	hint    *widget.Label
	on      *widget.Button
	path    string
}

func newPreviewTab(w *window) *previewTab {
	t := &previewTab{window: w}
	t.title = widget.NewLabelWithStyle("", fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	t.title.Truncation = fyne.TextTruncateEllipsis
	t.image = &canvas.Image{FillMode: canvas.ImageFillContain}
	t.hint = widget.NewLabel("")
	t.hint.Alignment = fyne.TextAlignCenter
	t.hint.Wrapping = fyne.TextWrapWord
	t.on = widget.NewButtonWithIcon("Make pictures from now on", theme.VisibilityIcon(), func() {
		w.change(func(ctx context.Context) (api.SettingsReport, error) {
			return w.shell.cfg.Client.SetSetting(ctx, previewKey, "cycles")
		}, w.failed)
	})
	open := widget.NewButtonWithIcon("Open", theme.FileImageIcon(), func() {
		if path := t.path; path != "" {
			w.shell.try("open the picture", func(context.Context) error { return w.shell.cfg.Host.Open(path, 0) })
		}
	})
	empty := container.NewVBox(t.hint, container.NewCenter(t.on))
	t.content = container.NewBorder(
		container.NewBorder(nil, nil, nil, open, t.title), nil, nil, nil,
		container.NewStack(t.image, container.NewCenter(container.NewGridWrap(fyne.NewSize(460, 120), empty))),
	)
	t.refresh()
	return t
}

// refresh shows what a person can do, as long as there is no picture.
func (t *previewTab) refresh() {
	t.hint.Show()
	t.on.Show()
	made, known := t.window.report.Find(previewKey)
	off := !known || made.Text() == "off"
	switch {
	case t.path != "":
		t.hint.Hide()
		t.on.Hide()
	case off:
		t.hint.SetText("Blendtray can make a small picture of the scene after each run, when no other run is waiting.")
	default:
		t.hint.SetText("The picture of the next run's scene appears here.")
		t.on.Hide()
	}
}

// show shows the picture of a run, if it has one.
func (t *previewTab) show(r api.Run) {
	if r.Preview == "" || r.Preview == t.path {
		return
	}
	t.path = r.Preview
	t.title.SetText(nameOf(r) + " · " + when(r.QueuedAt, time.Now()))
	t.image.File = r.Preview
	t.image.Refresh()
	t.refresh()
}
