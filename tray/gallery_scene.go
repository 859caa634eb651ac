//go:build !headless

package tray

import (
	"context"
	"errors"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// sceneDrawer has a large picture made of the scene that the last run has left.
type sceneDrawer struct {
	window *window
	button *widget.Button
	engine *widget.Select
	view   *widget.Select
	size   *widget.Select
	// show is called with the picture.
	show func(shot)
}

// previewSizes are the sizes to choose from, in pixels.
var previewSizes = []int{640, 1280, 1920, 3840}

// drawingTime is how long the window waits for a picture of a scene.
const drawingTime = 3 * time.Minute

func newSceneDrawer(w *window, show func(shot)) *sceneDrawer {
	d := &sceneDrawer{window: w, show: show}
	// In the order of the choices of the engine.
	d.engine = widget.NewSelect([]string{"Cycles", "Eevee", "Workbench"}, nil)
	d.view = widget.NewSelect([]string{
		lang.L("The camera"), lang.L("All, from an angle"), lang.L("All, from the front"), lang.L("All, from the right"), lang.L("All, from above"),
	}, nil)
	d.size = widget.NewSelect(nil, nil)
	for _, size := range previewSizes {
		d.size.Options = append(d.size.Options, lang.L("{{.Size}} pixels", map[string]any{"Size": strconv.Itoa(size)}))
	}
	d.engine.SetSelectedIndex(0)
	d.view.SetSelectedIndex(0)
	d.size.SetSelectedIndex(1)
	d.button = widget.NewButtonWithIcon(lang.L("Draw the last scene"), theme.VisibilityIcon(), d.ask)
	return d
}

// ask asks a person how the scene is to be drawn.
func (d *sceneDrawer) ask() {
	hint := widget.NewLabel(lang.L("The scene that the last run has left stays as it is. Eevee and Workbench need a display or a graphics card."))
	hint.Wrapping = fyne.TextWrapWord
	form := widget.NewForm(
		widget.NewFormItem(lang.L("Drawn by"), d.engine), widget.NewFormItem(lang.L("Seen from"), d.view), widget.NewFormItem(lang.L("Longer side"), d.size),
	)
	ask := dialog.NewCustomConfirm(lang.L("Draw the last scene"), lang.L("Draw"), lang.L("Cancel"), container.NewBorder(nil, hint, nil, nil, form), func(yes bool) {
		if yes {
			d.draw()
		}
	}, d.window)
	ask.Resize(fyne.NewSize(440, 320))
	d.window.present(ask, ask.Confirm, nil)
}

// draw has the engine make the picture, and shows it.
func (d *sceneDrawer) draw() {
	req := api.PreviewRequest{
		Engine: api.PreviewEngines[d.engine.SelectedIndex()], View: api.PreviewViews[d.view.SelectedIndex()], Size: previewSizes[d.size.SelectedIndex()],
	}
	before := d.button.Text
	d.button.SetText(lang.L("Drawing…"))
	d.button.Disable()
	fetchWithin(d.window, drawingTime, func(ctx context.Context) (api.ScenePreview, error) {
		return d.window.shell.cfg.Client.PreviewScene(ctx, req)
	}, func(made api.ScenePreview, err error) {
		d.button.SetText(before)
		d.button.Enable()
		switch {
		case errors.Is(err, api.ErrNoScene), errors.Is(err, api.ErrSceneGone):
			d.window.present(dialog.NewInformation(lang.L("The scene can't be drawn"), oneLine(err.Error(), 200), d.window), nil, nil)
		case err != nil:
			d.window.fail(err)
		default:
			d.show(shot{run: &made.Run, path: made.File, output: largePreview})
		}
	})
}
