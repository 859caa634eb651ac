//go:build !headless

package tray

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// palette is Fyne's theme with colours that more people can read. Colours with a meaning have a
// contrast against the background of 4.5 to 1 for text and 3 to 1 for lines, as WCAG 2.1 asks
// for. Fyne's own empty check boxes and green marks can hardly be seen on white.
type palette struct{ fyne.Theme }

// colours are the colours of the light and of the dark theme.
var colours = map[fyne.ThemeColorName][2]color.NRGBA{
	theme.ColorNameForeground:  {rgb(0x2e2e30), rgb(0xf3f3f3)},
	theme.ColorNamePlaceHolder: {rgb(0x6a6a6e), rgb(0xb2b2b2)},
	theme.ColorNameDisabled:    {rgb(0xa4a4a8), rgb(0x66666b)},
	theme.ColorNameInputBorder: {rgb(0x8a8a8f), rgb(0x74747a)},
	theme.ColorNameSuccess:     {rgb(0x1b7a2b), rgb(0x5fd06d)},
	theme.ColorNameError:       {rgb(0xc62828), rgb(0xff7066)},
	theme.ColorNameWarning:     {rgb(0x8f5600), rgb(0xffab40)},
}

func rgb(c uint32) color.NRGBA {
	return color.NRGBA{R: uint8(c >> 16), G: uint8(c >> 8), B: uint8(c), A: 0xff}
}

// Color returns the colour with a name; see [fyne.Theme].
func (p palette) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	c, ok := colours[name]
	switch {
	case !ok:
		return p.Theme.Color(name, variant)
	case variant == theme.VariantLight:
		return c[0]
	default:
		return c[1]
	}
}
