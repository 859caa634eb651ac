//go:build !headless

package tray

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// galleryCell shows a picture of the gallery with its name, its script and when it was made.
type galleryCell struct {
	widget.BaseWidget
	content     fyne.CanvasObject
	key, of     string // thumbKeyOf and keyOf of the shot that it shows
	image       *canvas.Image
	words       *widget.Label
	name, about *widget.Label
}

// cellWidth and cellHeight are the size of the picture in a cell.
const cellWidth, cellHeight = 230, 130

func newGalleryCell() *galleryCell {
	c := &galleryCell{image: &canvas.Image{FillMode: canvas.ImageFillContain}}
	c.words = widget.NewLabel("")
	c.words.Wrapping = fyne.TextWrapWord
	c.words.Alignment = fyne.TextAlignCenter
	line := func(style fyne.TextStyle) *widget.Label {
		l := widget.NewLabelWithStyle("", fyne.TextAlignCenter, style)
		l.Truncation = fyne.TextTruncateEllipsis
		l.SizeName = theme.SizeNameCaptionText
		return l
	}
	c.name, c.about = line(fyne.TextStyle{Bold: true}), line(fyne.TextStyle{})
	back := canvas.NewRectangle(theme.Color(theme.ColorNameInputBackground))
	back.CornerRadius = theme.Size(theme.SizeNameInputRadius)
	back.SetMinSize(fyne.NewSize(cellWidth, cellHeight))
	middle := container.New(middleLayout{}, c.words)
	c.content = container.NewPadded(container.NewBorder(nil,
		container.New(closeLayout{}, c.name, c.about), nil, nil, container.NewStack(back, c.image, middle)))
	c.ExtendBaseWidget(c)
	return c
}

func (c *galleryCell) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(c.content)
}

// show shows a thumbnail, or nothing yet.
func (c *galleryCell) show(t thumb) {
	c.image.Image = t.image
	c.image.Refresh()
	if c.words.Text != t.words {
		c.words.SetText(t.words)
		c.content.Refresh() // the sentence stands in the middle
	}
}

// middleLayout puts an object that wraps its text into the middle, over the whole width.
type middleLayout struct{}

func (middleLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

func (middleLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(size.Width, o.MinSize().Height))
		height := min(o.MinSize().Height, size.Height)
		o.Resize(fyne.NewSize(size.Width, height))
		o.Move(fyne.NewPos(0, (size.Height-height)/2))
	}
}

// closeLayout puts lines below each other, closer than labels stand.
type closeLayout struct{}

// lineOverlap is how much of a label's margin the next label takes.
const lineOverlap = 10

func (closeLayout) MinSize(objects []fyne.CanvasObject) (all fyne.Size) {
	for i, o := range objects {
		least := o.MinSize()
		all.Width = max(all.Width, least.Width)
		all.Height += least.Height
		if i > 0 {
			all.Height -= lineOverlap
		}
	}
	return all
}

func (closeLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		height := o.MinSize().Height
		o.Resize(fyne.NewSize(size.Width, height))
		o.Move(fyne.NewPos(0, y))
		y += height - lineOverlap
	}
}
