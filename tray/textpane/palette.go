//go:build !headless

package textpane

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"blendtray/tray/textpane/ansi"
)

// palette has the colours of a theme.
type palette struct {
	fore, back, faint, select_, found, here, hereText, mark, bar color.RGBA
	dark                                                         bool
	readable                                                     map[[2]color.RGBA]color.RGBA
}

// leastContrast is how much text stands out from its background, at least, as WCAG 2.1 measures
// contrast. Programs choose colours for a background that they do not know.
const leastContrast = 3.5

// paletteOf returns the colours of the theme that is set.
func paletteOf(th fyne.Theme, variant fyne.ThemeVariant) palette {
	back := opaque(th.Color(theme.ColorNameBackground, variant), color.RGBA{A: 0xff})
	back = opaque(th.Color(theme.ColorNameInputBackground, variant), back)
	over := func(name fyne.ThemeColorName) color.RGBA { return opaque(th.Color(name, variant), back) }
	mark := opaque(faded(th.Color(theme.ColorNameError, variant), 0x38), back)
	p := palette{
		fore: over(theme.ColorNameForeground), back: back, faint: over(theme.ColorNamePlaceHolder),
		select_: over(theme.ColorNameSelection), mark: mark,
		found: opaque(faded(th.Color(theme.ColorNameWarning, variant), 0x60), back),
		here:  over(theme.ColorNamePrimary), hereText: over(theme.ColorNameForegroundOnPrimary),
		bar:      mix(over(theme.ColorNameScrollBar), back, 0.4),
		readable: map[[2]color.RGBA]color.RGBA{},
	}
	p.dark = luminance(back) < 0.2
	return p
}

// The 16 colours of terminals, on a light and on a dark background.
var sixteen = [2][16]uint32{
	{
		0x000000, 0xb3261e, 0x1b7a2b, 0x8f5600, 0x1f56c0, 0x8a2da5, 0x00707a, 0x6a6a6e,
		0x55555a, 0xd93025, 0x1e8e3e, 0xa96500, 0x2f6fde, 0xa142c0, 0x008391, 0x8a8a8f,
	},
	{
		0x3b3b40, 0xff7066, 0x5fd06d, 0xe5b34d, 0x6ea8fe, 0xd78bf0, 0x4fc8d6, 0xd0d0d0,
		0x85858c, 0xff9a91, 0x8ae696, 0xffd479, 0x9cc4ff, 0xe6b2f7, 0x84e1ec, 0xffffff,
	},
}

// color returns a colour of the text as it is drawn. ok is false for the default.
func (p *palette) color(c ansi.Color) (_ color.RGBA, ok bool) {
	if r, g, b, ok := c.Parts(); ok {
		return color.RGBA{r, g, b, 0xff}, true
	}
	n, ok := c.Index()
	if !ok {
		return color.RGBA{}, false
	}
	switch {
	case n < 16:
		set := 0
		if p.dark {
			set = 1
		}
		return hex(sixteen[set][n]), true
	case n < 232:
		n -= 16
		return color.RGBA{step(n / 36), step(n / 6 % 6), step(n % 6), 0xff}, true
	}
	grey := 8 + 10*(n-232)
	return color.RGBA{grey, grey, grey, 0xff}, true
}

// step returns a part of a colour of the cube of 6×6×6 colours.
func step(n uint8) uint8 {
	if n == 0 {
		return 0
	}
	return 55 + 40*n
}

func hex(c uint32) color.RGBA {
	return color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 0xff}
}

// on returns a colour of text that can be read on a background: the colour itself if it can, else
// one that is nearer to black or white.
func (p *palette) on(back, text color.RGBA) color.RGBA {
	k := [2]color.RGBA{back, text}
	if c, ok := p.readable[k]; ok {
		return c
	}
	if len(p.readable) > 4096 {
		clear(p.readable)
	}
	end := color.RGBA{0xff, 0xff, 0xff, 0xff}
	if contrast(back, color.RGBA{A: 0xff}) > contrast(back, end) {
		end = color.RGBA{A: 0xff}
	}
	c := text
	for part := 1; part <= 10 && contrast(back, c) < leastContrast; part++ {
		c = mix(text, end, float64(part)/10)
	}
	p.readable[k] = c
	return c
}

func mix(a, b color.RGBA, part float64) color.RGBA {
	of := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*part) }
	return color.RGBA{of(a.R, b.R), of(a.G, b.G), of(a.B, b.B), 0xff}
}

func contrast(a, b color.RGBA) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

func luminance(c color.RGBA) float64 {
	of := func(v uint8) float64 {
		x := float64(v) / 0xff
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*of(c.R) + 0.7152*of(c.G) + 0.0722*of(c.B)
}

// opaque returns a colour as it looks on a background.
func opaque(c color.Color, back color.RGBA) color.RGBA {
	r, g, b, a := c.RGBA()
	of := func(v uint32, under uint8) uint8 { return uint8((v + uint32(under)*0x101*(0xffff-a)/0xffff) >> 8) }
	return color.RGBA{of(r, back.R), of(g, back.G), of(b, back.B), 0xff}
}

// faded returns a colour with an alpha.
func faded(c color.Color, alpha uint8) color.Color {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = alpha
	return n
}
