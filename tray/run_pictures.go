//go:build !headless

package tray

import (
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// maxRunPictures is how many pictures and files of a run are shown.
const maxRunPictures = 60

// picturesView is the tab Pictures of a run: the files that the run made, pictures as thumbnails, and
// the picture of its scene.
type picturesView struct {
	window  *window
	content fyne.CanvasObject
	images  *fyne.Container
	remark  *remark
	shown   string // what is shown, to compare, or ""
}

func newPicturesView(w *window) *picturesView {
	v := &picturesView{window: w, images: container.New(newWrappedRows())}
	v.remark, v.content = newRemark("", nil, container.NewVScroll(container.NewPadded(v.images)))
	return v
}

// show shows the files of a run.
func (v *picturesView) show(r api.Run) {
	v.remark.say(picturesWords(r), false)
	all := strings.Join(append([]string{r.ID, r.Preview}, r.Outputs...), "\n")
	if all == v.shown {
		return // else the files would be read again
	}
	v.shown = all
	dropThumbnails(v.images.Objects)
	v.images.RemoveAll()
	if r.Preview != "" {
		v.images.Add(newThumbnail(v.window, shot{run: &r, path: r.Preview, output: scenePreview}, lang.L("scene"), func() { openPicture(v.window, r, scenePreview) }))
	}
	for i, path := range r.Outputs[:min(maxRunPictures, len(r.Outputs))] {
		open := func() { openPicture(v.window, r, i) }
		switch api.PictureKindOf(path) {
		case api.PlainPicture, api.OtherPicture, api.MoviePicture:
			v.images.Add(newThumbnail(v.window, shot{run: &r, path: path, output: i}, nameInLine(filepath.Base(path), 14), open))
		default:
			v.images.Add(widget.NewButtonWithIcon(nameInLine(filepath.Base(path), 24), theme.FileIcon(), open))
		}
	}
	v.images.Refresh()
}

// picturesWords returns the sentence above the pictures of a run: why there are none, or how many are
// not shown; or "".
func picturesWords(r api.Run) string {
	n := len(r.Outputs)
	switch {
	case n > maxRunPictures:
		return lang.L("The run made {{.Count}} files. The first {{.Shown}} are shown, and the tab Details lists all.", with{"Count": n, "Shown": maxRunPictures})
	case n > 0 || r.Preview != "":
		return ""
	case r.ID == "":
		return ""
	case !r.State.Final():
		return lang.L("What the run renders or saves appears here.")
	}
	return lang.L("The run made no picture and no other file.")
}

// drop forgets the pictures.
func (v *picturesView) drop() {
	if v.shown == "" {
		return
	}
	v.shown = ""
	dropThumbnails(v.images.Objects)
	v.images.RemoveAll()
	v.remark.say("", false)
}

// openPicture opens a picture of a run in the viewer: the output with an index, or the picture of the scene
// for [scenePreview]. A file that is no picture opens in the desktop's program for it.
func openPicture(w *window, r api.Run, index int) {
	if index >= 0 && api.PictureKindOf(r.Outputs[index]) == api.NoPicture {
		openFile(w, r.Outputs[index])
		return
	}
	w.showPicture(r, index)
}

// countOfPictures returns how many pictures and files a run has to show.
func countOfPictures(r api.Run) int {
	n := len(r.Outputs)
	if r.Preview != "" {
		n++
	}
	return n
}
