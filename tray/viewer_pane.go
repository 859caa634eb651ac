//go:build !headless

package tray

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"golang.org/x/image/draw"
)

// levels is a picture in its full size, and each time half as large: from these, any zoom is drawn
// quickly and without the dots of a picture that leaves out pixels.
type levels struct {
	size  image.Point // of the picture in the file
	solid bool        // nothing shines through
	all   []*image.RGBA
}

const (
	// maxLevel is how many pixels the largest level has at most: 4 bytes each.
	maxLevel = 40_000_000
	// smallestLevel is the longer side below which no smaller level is needed.
	smallestLevel = 512
)

// newLevels returns the levels of a picture. The largest is smaller than the picture where that has more
// pixels than maxLevel.
func newLevels(whole image.Image) *levels {
	b := whole.Bounds()
	l := &levels{size: b.Size()}
	if o, ok := whole.(interface{ Opaque() bool }); ok {
		l.solid = o.Opaque()
	}
	size := b.Size()
	for size.X*size.Y > maxLevel {
		size = image.Pt(max(1, size.X/2), max(1, size.Y/2))
	}
	from := whole
	for {
		next, whole := image.NewRGBA(image.Rectangle{Max: size}), from.Bounds()
		if size == whole.Size() {
			draw.Draw(next, next.Bounds(), from, whole.Min, draw.Src)
		} else {
			draw.ApproxBiLinear.Scale(next, next.Bounds(), from, whole, draw.Src, nil)
		}
		l.all = append(l.all, next)
		if max(size.X, size.Y) <= smallestLevel {
			return l
		}
		from, size = next, image.Pt(max(1, size.X/2), max(1, size.Y/2))
	}
}

// level returns the smallest level that has at least so many pixels in a row, or the largest.
func (l *levels) level(width int) *image.RGBA {
	best := l.all[0]
	for _, next := range l.all[1:] {
		if next.Bounds().Dx() < width {
			break
		}
		best = next
	}
	return best
}

// viewport is the part of a picture that is in sight. Two panes share it to show the same part.
type viewport struct {
	fit bool
	// zoom is how many pixels of the screen a pixel of the first pane's picture has, unless fit.
	zoom float64
	// x and y are the place in the middle, as parts of the width and the height of the picture.
	x, y float64
}

const (
	maxZoom  = 32.0
	zoomStep = 1.25
	// sharpFrom is the zoom from which pixels are shown as squares.
	sharpFrom = 3.0
)

// viewerPane shows a picture that can be zoomed and moved.
type viewerPane struct {
	widget.BaseWidget
	raster *canvas.Raster
	buffer *image.RGBA
	shown  *levels // nil while there is none
	view   *viewport
	// width is the width of the picture to which the zoom refers, or 0 for the pane's own.
	width int
	// changed is called when the viewport has changed, and key and typed with what is typed.
	changed func()
	key     func(fyne.KeyName)
	typed   func(rune)
}

func newViewerPane(view *viewport, changed func(), key func(fyne.KeyName), typed func(rune)) *viewerPane {
	p := &viewerPane{view: view, changed: changed, key: key, typed: typed}
	p.raster = canvas.NewRaster(p.draw)
	p.ExtendBaseWidget(p)
	return p
}

func (p *viewerPane) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(p.raster) }

// show shows a picture, or nothing.
func (p *viewerPane) show(l *levels) {
	p.shown = l
	if l == nil {
		p.buffer = nil
	}
	p.raster.Refresh()
}

// draw draws what is in sight, w by h pixels of the screen.
func (p *viewerPane) draw(w, h int) image.Image {
	if p.buffer == nil || p.buffer.Rect.Dx() != w || p.buffer.Rect.Dy() != h {
		p.buffer = image.NewRGBA(image.Rect(0, 0, w, h))
	}
	back := color.RGBAModel.Convert(theme.Color(theme.ColorNameBackground)).(color.RGBA)
	draw.Draw(p.buffer, p.buffer.Rect, image.NewUniform(back), image.Point{}, draw.Src)
	if p.shown == nil || w == 0 || h == 0 {
		return p.buffer
	}
	scale := p.scale(w, h)
	x, y := p.middle(w, h, scale)
	wide, high := float64(p.shown.size.X)*scale, float64(p.shown.size.Y)*scale
	left, top := math.Round(float64(w)/2-x*wide), math.Round(float64(h)/2-y*high)
	to := image.Rect(int(left), int(top), int(left)+max(1, int(math.Round(wide))), int(top)+max(1, int(math.Round(high))))
	from := p.shown.level(to.Dx())
	var with draw.Scaler = draw.ApproxBiLinear
	if scale >= sharpFrom {
		with = draw.NearestNeighbor
	}
	how := draw.Over
	if p.shown.solid {
		how = draw.Src
	}
	with.Scale(p.buffer, to, from, from.Rect, how, nil)
	return p.buffer
}

// scale returns how many pixels of the screen a pixel of the picture has.
func (p *viewerPane) scale(w, h int) float64 {
	size := p.shown.size
	if p.view.fit {
		return min(float64(w)/float64(size.X), float64(h)/float64(size.Y), sharpFrom)
	}
	if p.width == 0 {
		return p.view.zoom
	}
	return p.view.zoom * float64(p.width) / float64(size.X)
}

// middle returns the place of the picture in the middle of the pane, such that no more of the pane is
// empty than has to be.
func (p *viewerPane) middle(w, h int, scale float64) (x, y float64) {
	if p.view.fit {
		return 0.5, 0.5
	}
	return inSight(p.view.x, float64(w)/(float64(p.shown.size.X)*scale)), inSight(p.view.y, float64(h)/(float64(p.shown.size.Y)*scale))
}

// inSight returns the middle of a part that begins and ends in the whole, whose length is 1.
func inSight(middle, part float64) float64 {
	if part >= 1 {
		return 0.5
	}
	return min(max(middle, part/2), 1-part/2)
}

// pixels returns the size of the pane in pixels of the screen, and how many there are in a unit of Fyne.
func (p *viewerPane) pixels() (w, h int, unit float64) {
	unit = 1
	if c := fyne.CurrentApp().Driver().CanvasForObject(p); c != nil {
		unit = float64(c.Scale())
	}
	size := p.Size()
	return int(float64(size.Width) * unit), int(float64(size.Height) * unit), unit
}

// zoomTo zooms to a scale, and keeps the picture where it is at a position of the pane. Nothing happens
// without a picture.
func (p *viewerPane) zoomTo(scale float64, at fyne.Position) {
	w, h, unit := p.pixels()
	if p.shown == nil || w == 0 || h == 0 {
		return
	}
	before := p.scale(w, h)
	x, y := p.middle(w, h, before)
	size := p.shown.size
	least := min(float64(w)/float64(size.X), float64(h)/float64(size.Y), 1) / 4
	scale = min(max(scale, least), maxZoom)
	dx, dy := float64(at.X)*unit-float64(w)/2, float64(at.Y)*unit-float64(h)/2
	p.view.fit = false
	p.view.x = inSight(x+(dx/before-dx/scale)/float64(size.X), float64(w)/(float64(size.X)*scale))
	p.view.y = inSight(y+(dy/before-dy/scale)/float64(size.Y), float64(h)/(float64(size.Y)*scale))
	p.view.zoom = scale
	if p.width != 0 {
		p.view.zoom = scale * float64(size.X) / float64(p.width)
	}
	p.changed()
}

// zoomBy zooms in or out from the middle.
func (p *viewerPane) zoomBy(factor float64) {
	if p.shown != nil {
		w, h, _ := p.pixels()
		size := p.Size()
		p.zoomTo(p.scale(w, h)*factor, fyne.NewPos(size.Width/2, size.Height/2))
	}
}

// Scrolled zooms where the pointer is.
func (p *viewerPane) Scrolled(ev *fyne.ScrollEvent) {
	if p.shown == nil || ev.Scrolled.DY == 0 {
		return
	}
	factor := zoomStep
	if ev.Scrolled.DY < 0 {
		factor = 1 / zoomStep
	}
	w, h, _ := p.pixels()
	p.zoomTo(p.scale(w, h)*factor, ev.Position)
}

// Dragged moves the picture.
func (p *viewerPane) Dragged(ev *fyne.DragEvent) {
	w, h, unit := p.pixels()
	if p.shown == nil || p.view.fit {
		return
	}
	scale := p.scale(w, h)
	x, y := p.middle(w, h, scale)
	wide, high := float64(p.shown.size.X)*scale, float64(p.shown.size.Y)*scale
	p.view.x = inSight(x-float64(ev.Dragged.DX)*unit/wide, float64(w)/wide)
	p.view.y = inSight(y-float64(ev.Dragged.DY)*unit/high, float64(h)/high)
	p.changed()
}

func (p *viewerPane) DragEnd() {}

// DoubleTapped changes between the whole picture and its full size, at the pointer.
func (p *viewerPane) DoubleTapped(ev *fyne.PointEvent) {
	if p.view.fit {
		p.zoomTo(1, ev.Position)
		return
	}
	p.view.fit = true
	p.changed()
}

// Tapped takes the focus for the keys.
func (p *viewerPane) Tapped(*fyne.PointEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(p); c != nil {
		c.Focus(p)
	}
}

// Cursor shows that the picture can be moved.
func (p *viewerPane) Cursor() desktop.Cursor {
	if p.view.fit {
		return desktop.DefaultCursor
	}
	return desktop.PointerCursor
}

func (p *viewerPane) FocusGained()               {}
func (p *viewerPane) FocusLost()                 {}
func (p *viewerPane) TypedRune(r rune)           { p.typed(r) }
func (p *viewerPane) TypedKey(ev *fyne.KeyEvent) { p.key(ev.Name) }
