// Package raster draws text in cells of one width into an image.
//
// A [Painter] keeps the picture of each sign that it has drawn, so that a page of text costs
// little more than copying. It takes the sign from the font for text, else from the fonts given
// beside it, else from those of the system, which it reads at the first sign that needs them.
package raster

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"golang.org/x/image/math/fixed"

	"blendtray/tray/textpane/cells"
)

// Look is how a cell looks.
type Look struct {
	Fg, Bg                          color.RGBA // a background with an alpha of 0 is left as it is
	Bold, Italic, Underline, Strike bool
}

// Painter draws text of one size. It is for one goroutine.
type Painter struct {
	fonts         *Fonts
	size          float32 // in pixels
	width, height int     // of a cell
	base          int     // from the top of a cell to the line on which letters stand
	generation    int     // of the fonts for which atlas is
	atlas         map[key]*glyph
}

// key is what the picture of a sign depends on.
type key struct {
	text         string
	before       string // the letters in the same word, where a letter's shape depends on them
	after        string
	cells        int
	bold, italic bool
}

// glyph is the picture of a sign: where there is ink, or a picture in colours.
type glyph struct {
	at     image.Point // from the cell's corner
	ink    *image.Alpha
	colour *image.RGBA
}

// maxGlyphs is how many pictures are kept; a text with more is drawn more slowly.
const maxGlyphs = 8192

// NewPainter returns a painter that draws with fonts.
func NewPainter(fonts *Fonts) *Painter { return &Painter{fonts: fonts, atlas: map[key]*glyph{}} }

// Resize sets the size of the text, in pixels.
func (p *Painter) Resize(size float32) {
	if size == p.size {
		return
	}
	p.size = size
	clear(p.atlas)
	ascent, descent, advance := p.fonts.metrics(size)
	p.base = int(math.Ceil(float64(ascent)))
	p.height = max(1, p.base+int(math.Ceil(float64(descent))))
	p.width = max(1, int(math.Round(float64(advance))))
}

// Cell returns the size of a cell in pixels.
func (p *Painter) Cell() (width, height int) { return p.width, p.height }

// Row draws cells of a text, the first of which stands at column first, from the point (x, y) on.
// look says how a cell looks.
func (p *Painter) Row(dst *image.RGBA, x, y int, text string, row []cells.Cell, first int, look func(i int) Look) {
	if g := p.fonts.generation(); g != p.generation {
		p.generation = g
		clear(p.atlas) // signs may have a font now
	}
	looks := make([]Look, len(row))
	for i, c := range row {
		looks[i] = look(i)
		if bg := looks[i].Bg; bg.A != 0 {
			fill(dst, p.box(x, y, c, first), bg)
		}
	}
	for i, c := range row {
		box := p.box(x, y, c, first)
		if !box.Overlaps(dst.Rect) {
			continue
		}
		l, sign := looks[i], text[c.Start:c.End]
		if sign != " " && sign != "\t" {
			k := key{text: sign, cells: c.Width, bold: l.Bold, italic: l.Italic}
			if c.RunStart != c.Start || c.RunEnd != c.End {
				k.before, k.after = text[c.RunStart:c.Start], text[c.End:c.RunEnd]
			}
			p.glyph(k).draw(dst, box.Min, l.Fg)
		}
		thick := max(1, p.height/16)
		if l.Underline {
			under := min(p.base+thick, p.height-thick)
			fill(dst, image.Rect(box.Min.X, y+under, box.Max.X, y+under+thick), l.Fg)
		}
		if l.Strike {
			middle := y + p.base*2/3
			fill(dst, image.Rect(box.Min.X, middle, box.Max.X, middle+thick), l.Fg)
		}
	}
}

// box returns where a cell is, if column first is at x.
func (p *Painter) box(x, y int, c cells.Cell, first int) image.Rectangle {
	left := x + (c.Column-first)*p.width
	return image.Rect(left, y, left+c.Width*p.width, y+p.height)
}

// Fill fills a rectangle with a colour.
func Fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) { fill(dst, r, c) }

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	r = r.Intersect(dst.Rect)
	if r.Empty() {
		return
	}
	if c.A != 0xff {
		draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Over)
		return
	}
	from := dst.PixOffset(r.Min.X, r.Min.Y)
	line := dst.Pix[from : from+4*r.Dx()]
	for i := 0; i < len(line); i += 4 {
		line[i], line[i+1], line[i+2], line[i+3] = c.R, c.G, c.B, c.A
	}
	for y := r.Min.Y + 1; y < r.Max.Y; y++ {
		copy(dst.Pix[dst.PixOffset(r.Min.X, y):], line)
	}
}

// draw draws the picture of a sign whose cell's corner is at a point.
func (g *glyph) draw(dst *image.RGBA, corner image.Point, c color.RGBA) {
	switch {
	case g.colour != nil:
		r := g.colour.Rect.Add(corner).Add(g.at)
		draw.Draw(dst, r, g.colour, g.colour.Rect.Min, draw.Over)
	case g.ink != nil:
		g.drawInk(dst, corner, c)
	}
}

func (g *glyph) drawInk(dst *image.RGBA, corner image.Point, c color.RGBA) {
	shift := corner.Add(g.at)
	r := g.ink.Rect.Add(shift).Intersect(dst.Rect)
	red, green, blue := uint32(c.R), uint32(c.G), uint32(c.B)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		ink := g.ink.Pix[g.ink.PixOffset(r.Min.X-shift.X, y-shift.Y):]
		out := dst.Pix[dst.PixOffset(r.Min.X, y):]
		for x := range r.Dx() {
			a := uint32(ink[x])
			if a == 0 {
				continue
			}
			d := out[4*x : 4*x+4 : 4*x+4]
			if a == 0xff {
				d[0], d[1], d[2], d[3] = c.R, c.G, c.B, 0xff
				continue
			}
			b := 0xff - a
			d[0] = uint8((red*a + uint32(d[0])*b) / 0xff)
			d[1] = uint8((green*a + uint32(d[1])*b) / 0xff)
			d[2] = uint8((blue*a + uint32(d[2])*b) / 0xff)
			d[3] = 0xff
		}
	}
}

// glyph returns the picture of a sign.
func (p *Painter) glyph(k key) *glyph {
	if g := p.atlas[k]; g != nil {
		return g
	}
	if len(p.atlas) >= maxGlyphs {
		clear(p.atlas)
	}
	g := p.make(k)
	p.atlas[k] = g
	return g
}

// make draws the picture of a sign, with room around its cells: some letters reach over them.
func (p *Painter) make(k key) *glyph {
	room := p.width
	box := image.Rect(-room, 0, k.cells*p.width+room, p.height)
	canvas := image.NewRGBA(box.Add(image.Pt(room, 0)))
	coloured := p.fonts.draw(canvas, k, p.size, room, p.base, k.cells*p.width)
	if coloured {
		return &glyph{at: image.Pt(-room, 0), colour: canvas}
	}
	ink := image.NewAlpha(canvas.Rect)
	for i := range ink.Pix {
		ink.Pix[i] = canvas.Pix[4*i+3]
	}
	if k.italic {
		lean(ink, p.base)
	}
	if k.bold {
		thicken(ink, max(1, int(p.size/14)))
	}
	return &glyph{at: image.Pt(-room, 0), ink: ink}
}

// lean moves the lines of a picture to the right, the more the higher they are.
func lean(ink *image.Alpha, base int) {
	for y := range ink.Rect.Dy() {
		line := ink.Pix[y*ink.Stride : (y+1)*ink.Stride]
		if by := (base - y) / 5; by > 0 {
			copy(line[by:], slices.Clone(line))
			clear(line[:by])
		} else if by < 0 {
			copy(line, slices.Clone(line[-by:]))
			clear(line[len(line)+by:])
		}
	}
}

// thicken draws a picture once more, so many pixels to the right.
func thicken(ink *image.Alpha, by int) {
	for y := range ink.Rect.Dy() {
		line := ink.Pix[y*ink.Stride : (y+1)*ink.Stride]
		for x := len(line) - 1; x >= by; x-- {
			line[x] = max(line[x], line[x-by])
		}
	}
}

func toFloat(v fixed.Int26_6) float32 { return float32(v) / 64 }
