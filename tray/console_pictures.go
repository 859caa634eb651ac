//go:build !headless

package tray

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
)

const (
	pictureMark = "[picture "
	// maxPictures is how many pictures of the transcript are shown.
	maxPictures = 24
)

// isPicture reports whether a file is a picture that the window can show.
func isPicture(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png", ".jpg", ".jpeg", ".webp":
		return true
	}
	return false
}

// madeWords returns the lines of a transcript that name the files that a run has made. A click on such
// a line opens the file.
func madeWords(paths []string) string {
	var b strings.Builder
	const most = 50
	for i, path := range paths {
		switch {
		case i == most:
			b.WriteString("\x1b[90m[…]\x1b[0m\n")
			return b.String()
		case isPicture(path):
			b.WriteString("\x1b[90m" + pictureMark + path + "]\x1b[0m\n")
		default:
			b.WriteString("\x1b[90m[file " + path + "]\x1b[0m\n")
		}
	}
	return b.String()
}

// namesPicture returns the picture that a line of a transcript names. Any script can print such a line, so
// that a file of another kind, which the desktop may run, is none.
func namesPicture(line string) (path string, ok bool) {
	path, ok = strings.CutPrefix(line, pictureMark)
	path, closed := strings.CutSuffix(path, "]")
	return path, ok && closed && filepath.IsAbs(path) && isPicture(path)
}

// picturesIn returns the last pictures that a transcript names, in its order: each once, where it was
// named last.
func picturesIn(text string) (paths []string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[90m"), "\x1b[0m")
		if path, ok := namesPicture(line); ok {
			paths = slices.DeleteFunc(paths, func(p string) bool { return p == path })
			paths = append(paths, path)
		}
	}
	return paths[max(0, len(paths)-maxPictures):]
}

// pictureStrip shows the pictures of the transcript, in its order. A strip below the text, and not
// pictures between the lines: text that is one piece is found, selected and copied over the borders of
// runs, and holds no memory for what is out of sight.
type pictureStrip struct {
	window *window
	paths  []string
	row    *fyne.Container
	scroll *container.Scroll
}

func newPictureStrip(w *window) *pictureStrip {
	s := &pictureStrip{window: w, row: container.NewHBox()}
	s.scroll = container.NewHScroll(s.row)
	s.scroll.Hide()
	return s
}

// show shows pictures. A picture that is there already is read again if it is among the changed.
func (s *pictureStrip) show(paths, changed []string) {
	if slices.Equal(paths, s.paths) && len(changed) == 0 {
		return
	}
	old := map[string]fyne.CanvasObject{}
	for i, path := range s.paths {
		old[path] = s.row.Objects[i]
	}
	s.row.RemoveAll()
	for _, path := range paths {
		if there := old[path]; there != nil && !slices.Contains(changed, path) {
			s.row.Add(there)
			delete(old, path)
			continue
		}
		s.row.Add(newThumbnail(s.window, shot{path: path, output: scenePreview}, nameInLine(filepath.Base(path), 14), func() {
			s.window.shell.try("open the picture", func(context.Context) error { return s.window.shell.cfg.Host.Open(path, 0) })
		}))
	}
	for _, gone := range old {
		dropThumbnails([]fyne.CanvasObject{gone})
	}
	s.paths = paths
	if len(paths) == 0 {
		s.scroll.Hide()
	} else {
		s.scroll.Show()
	}
	s.scroll.Refresh()
	s.scroll.ScrollToOffset(fyne.NewPos(s.row.MinSize().Width, 0))
}
