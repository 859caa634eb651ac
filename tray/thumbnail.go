//go:build !headless

package tray

import (
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // shrink reads it
	_ "image/png"  // shrink reads it
	"io"
	"os"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // shrink reads it
)

// thumbnail is a picture that opens when it is clicked, with a word below it.
type thumbnail struct {
	widget.BaseWidget
	content fyne.CanvasObject
	image   *canvas.Image
	open    func()
	stop    context.CancelFunc
}

// drop ends the making of a picture that is not shown any more.
func (t *thumbnail) drop() { t.stop() }

// dropThumbnails drops the thumbnails among objects.
func dropThumbnails(objects []fyne.CanvasObject) {
	for _, o := range objects {
		if t, ok := o.(*thumbnail); ok {
			t.drop()
		}
	}
}

const (
	thumbWidth, thumbHeight = 112, 72
	// maxPixels is how many pixels a picture may have to be made small here: 4 bytes each.
	maxPixels = 100_000_000
	// decodeTime is how long a thumbnail waits for its turn. Blender needs seconds for each.
	decodeTime = 5 * time.Minute
)

// newThumbnail returns a thumbnail of a shot. The picture appears when it was made small: renders are
// large, and the window stays usable meanwhile.
func newThumbnail(w *window, s shot, word string, open func()) *thumbnail {
	t := &thumbnail{image: &canvas.Image{FillMode: canvas.ImageFillContain}, open: open}
	t.image.SetMinSize(fyne.NewSize(thumbWidth, thumbHeight))
	below := widget.NewLabelWithStyle(word, fyne.TextAlignCenter, fyne.TextStyle{})
	below.SizeName = theme.SizeNameCaptionText
	t.content = container.NewBorder(nil, below, nil, nil, t.image)
	t.ExtendBaseWidget(t)
	wanted, stop := context.WithCancel(w.shell.ctx)
	t.stop = stop
	fetchWithin(w, decodeTime, func(ctx context.Context) (image.Image, error) {
		ctx, end := whileWanted(ctx, wanted)
		defer end()
		return w.readShot(ctx, s, image.Pt(2*thumbWidth, 2*thumbHeight))
	}, func(small image.Image, err error) {
		if wanted.Err() != nil {
			return // it is not shown any more
		}
		stop()
		if err != nil {
			t.image.Resource = theme.FileImageIcon()
		} else {
			t.image.Image = small
		}
		t.image.Refresh()
	})
	return t
}

// whileWanted returns a context that ends with ctx, and when wanted ends. end must be called.
func whileWanted(ctx, wanted context.Context) (both context.Context, end func()) {
	both, cancel := context.WithCancel(ctx)
	forget := context.AfterFunc(wanted, cancel)
	return both, func() {
		forget()
		cancel()
	}
}

func (t *thumbnail) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.content) }
func (t *thumbnail) Tapped(*fyne.PointEvent)             { t.open() }

// shrink reads a PNG, JPEG or WebP and returns it so small that it fits into a box. A picture that
// fits keeps its size. It fails for other files, and with a [tooLargeError] for more pixels than
// [maxPixels].
func shrink(path string, box image.Point) (image.Image, error) {
	whole, err := decode(path)
	if err != nil {
		return nil, err
	}
	return fit(whole, box), nil
}

// fit returns a picture so small that it fits into a box.
func fit(whole image.Image, box image.Point) image.Image {
	size := whole.Bounds().Size()
	scale := min(float64(box.X)/float64(size.X), float64(box.Y)/float64(size.Y), 1)
	small := image.NewRGBA(image.Rect(0, 0, max(1, int(float64(size.X)*scale)), max(1, int(float64(size.Y)*scale))))
	draw.BiLinear.Scale(small, small.Bounds(), whole, whole.Bounds(), draw.Src, nil)
	return small
}

// tooLargeError is the error of a picture that takes too much memory.
type tooLargeError struct {
	path string
	size image.Point
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("%s has %d by %d pixels, which is too large to be shown here", e.path, e.size.X, e.size.Y)
}

// decode reads a PNG, JPEG or WebP. It fails as shrink does.
func decode(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decodeFrom(f, path)
}

// decodeFrom reads a picture as decode does. path is what an error calls it.
func decodeFrom(r io.ReadSeeker, path string) (image.Image, error) {
	about, _, err := image.DecodeConfig(r)
	if err != nil {
		return nil, err
	}
	if about.Width <= 0 || about.Height <= 0 || about.Width > maxPixels/about.Height {
		return nil, &tooLargeError{path, image.Pt(about.Width, about.Height)}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	whole, _, err := image.Decode(r)
	return whole, err
}
