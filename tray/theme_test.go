//go:build !headless

package tray

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// luminance is the relative luminance of WCAG 2.1.
func luminance(c color.Color) float64 {
	channel := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	r, g, b, _ := c.RGBA()
	return 0.2126*channel(r) + 0.7152*channel(g) + 0.0722*channel(b)
}

// contrast is the contrast ratio of WCAG 2.1, 1 to 21.
func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestWhatStandsForSomethingCanBeRead(t *testing.T) {
	t.Parallel()
	l := palette{theme.DefaultTheme()}
	for variant, name := range map[fyne.ThemeVariant]string{theme.VariantLight: "light", theme.VariantDark: "dark"} {
		background := l.Color(theme.ColorNameBackground, variant)
		for of, least := range map[fyne.ThemeColorName]float64{
			theme.ColorNameForeground: 7, theme.ColorNamePlaceHolder: 4.5, theme.ColorNameSuccess: 4.5,
			theme.ColorNameError: 4.5, theme.ColorNameWarning: 4.5, theme.ColorNameInputBorder: 3,
			theme.ColorNameDisabled: 2, // which nobody has to read
		} {
			if got := contrast(l.Color(of, variant), background); got < least {
				t.Errorf("%s, %s: the contrast is %.1f, want %.1f", name, of, got, least)
			}
		}
	}
}

func TestWordsToReadHaveNoPaleColour(t *testing.T) {
	o := openWindow(t)
	o.farm.take(farmOfTest())
	o.Resize(fyne.NewSize(1000, 700))
	for name, content := range map[string]fyne.CanvasObject{"queue": o.queue.content, "farm": o.farm.content} {
		for _, object := range test.LaidOutObjects(content) {
			if l, ok := object.(*widget.Label); ok && l.Text != "" && l.Importance == widget.LowImportance {
				t.Errorf("%s: %q has the colour of what nobody has to read", name, l.Text)
			}
		}
	}
	for _, m := range farmOfTest().Machines {
		for _, object := range test.LaidOutObjects(machineRow(m, api.Farm{})) {
			if l, ok := object.(*widget.Label); ok && l.Importance == widget.LowImportance {
				t.Errorf("%q has the colour of what nobody has to read", l.Text)
			}
		}
	}
}
