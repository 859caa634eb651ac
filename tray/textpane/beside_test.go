//go:build !headless

package textpane

import (
	"image/color"
	"strconv"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
)

func TestALineHasALabelAndABackgroundOfItsOwn(t *testing.T) {
	green := color.NRGBA{0x20, 0xa0, 0x40, 0xff}
	asked := map[int]bool{}
	s := show(t, Options{
		LabelWidth: func() int { return 9 },
		Labels: func(line int) string {
			asked[line] = true
			return strconv.Itoa(100 + line)
		},
		Back: func(line int) color.Color {
			if line == 1 {
				return green
			}
			return nil
		},
	})
	s.SetText("one\ntwo\nthree\n")
	picture := s.capture()
	m := s.pointer.metrics
	if m.gutter != 11*m.cellW || !asked[0] || !asked[2] {
		t.Errorf("the labels take %d pixels, and were asked for %v", m.gutter, asked)
	}
	at := func(line int) color.Color { return picture.At(m.width-m.bar-2, m.pad+line*m.cellH+m.cellH/2) }
	if r, g, b, _ := at(1).RGBA(); r>>8 != 0x20 || g>>8 != 0xa0 || b>>8 != 0x40 {
		t.Errorf("the second line is on %v", at(1))
	}
	if at(0) != at(2) || at(0) == at(1) {
		t.Errorf("the others are on %v and %v", at(0), at(2))
	}
	if got := s.Line(1); got != "two" {
		t.Errorf("the second line is %q", got)
	}
}

func TestALineIsShownByAPaneThatWasNotDrawnYet(t *testing.T) {
	test.NewTempApp(t)
	p := New(Options{Do: func(f func()) { f() }})
	t.Cleanup(p.Close)
	p.SetText(strings.Repeat("a line\n", 400))
	p.ShowLine(200)
	p.Resize(fyne.NewSize(600, 300))
	p.draw(600, 300)
	if top, rows := p.view.top.line, p.view.rows; top != 200-rows/3 {
		t.Errorf("of %d rows the first is line %d", rows, top)
	}
	p.view.scroll(3)
	before := p.view.top
	p.draw(600, 300)
	if p.view.top != before {
		t.Errorf("who scrolls is taken back to %v", p.view.top)
	}
}

func TestAShortcutThatOpensSomethingDoesNotLeaveShiftHeld(t *testing.T) {
	s := show(t, Options{Shortcut: func(fyne.Shortcut) bool { return true }})
	s.SetText(strings.Repeat("a line\n", 400))
	s.see()
	s.FocusGained()
	s.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	s.TypedShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyF, Modifier: fyne.KeyModifierControl | fyne.KeyModifierShift})
	s.ShowTop(100) // a menu that was open has heard the release of Shift
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
	if s.Selected() != "" || s.Top() != 101 {
		t.Errorf("selected is %q, and line %d is on top", s.Selected(), s.Top())
	}
}
