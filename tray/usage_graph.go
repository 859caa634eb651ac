//go:build !headless

package tray

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
)

// graphSize is the size of a graph.
var graphSize = fyne.NewSize(130, 26)

// usageGraph is a number with a small graph of its last minutes below.
type usageGraph struct {
	content fyne.CanvasObject
	text    *canvas.Text
	raster  *canvas.Raster
	colour  fyne.ThemeColorName
	// points returns the points of so many columns, and the value at the upper edge.
	points func(columns int) ([]float64, float64)
}

func newUsageGraph(colour fyne.ThemeColorName) *usageGraph {
	g := &usageGraph{colour: colour}
	g.text = canvas.NewText("", theme.Color(theme.ColorNameForeground))
	g.text.TextSize = theme.CaptionTextSize()
	g.raster = canvas.NewRaster(g.draw)
	g.raster.SetMinSize(graphSize)
	g.content = container.NewVBox(g.text, g.raster)
	return g
}

// show shows a number and draws the graph anew.
func (g *usageGraph) show(text string, points func(columns int) ([]float64, float64)) {
	g.points = points
	g.text.Text, g.text.Color = text, theme.Color(theme.ColorNameForeground)
	g.text.Refresh()
	g.raster.Refresh()
}

// draw draws the graph: a filled area with a line on top.
func (g *usageGraph) draw(w, h int) image.Image {
	picture := image.NewRGBA(image.Rect(0, 0, w, h))
	if g.points == nil || w <= 0 || h <= 1 {
		return picture
	}
	points, top := g.points(w)
	drawGraph(picture, points, top, theme.Color(g.colour), theme.Color(theme.ColorNameInputBackground))
	return picture
}

// drawGraph draws points from the lower edge to top, which is the upper edge.
func drawGraph(into *image.RGBA, points []float64, top float64, line, back color.Color) {
	box := into.Bounds()
	for i := range into.Pix { // the background may be translucent; RGBA is premultiplied
		r, g, b, a := back.RGBA()
		into.Pix[i] = [4]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)}[i%4]
	}
	r, g, b, _ := line.RGBA()
	area := color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 0x60}
	level := func(v float64) int {
		return box.Max.Y - 1 - int(min(1, v/top)*float64(box.Dy()-1))
	}
	for x, v := range points {
		if v == noValue || x >= box.Dx() || top <= 0 {
			continue
		}
		y, before := level(v), level(v)
		if x > 0 && points[x-1] != noValue {
			before = level(points[x-1])
		}
		for below := y + 1; below < box.Max.Y; below++ {
			into.Set(x, below, area)
		}
		for between := min(y, before); between <= max(y, before); between++ {
			into.Set(x, between, line)
		}
	}
}
