//go:build !headless

package tray

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// themed is a style of text in colours of the theme, whichever that is when it is drawn.
type themed struct{ text, back fyne.ThemeColorName }

func (s themed) Style() fyne.TextStyle        { return fyne.TextStyle{Monospace: true} }
func (s themed) TextColor() color.Color       { return theme.Color(s.text) }
func (s themed) BackgroundColor() color.Color { return theme.Color(s.back) }
