//go:build !headless

package textpane

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"blendtray/tray/textpane/buffer"
	"blendtray/tray/textpane/find"
	"blendtray/tray/textpane/selection"
)

// shown is a pane in a window of a test.
type shown struct {
	*Pane
	t      *testing.T
	window fyne.Window
	calls  chan func()
}

const patience = 30 * time.Second

func show(t *testing.T, opts Options) *shown {
	t.Helper()
	test.NewTempApp(t)
	s := &shown{t: t, calls: make(chan func(), 10_000)}
	opts.Do = func(f func()) { s.calls <- f }
	opts.Buffer.Dir = t.TempDir()
	s.Pane = New(opts)
	t.Cleanup(s.Close)
	s.window = test.NewTempWindow(t, s.Pane)
	s.window.SetPadded(false)
	s.window.Resize(fyne.NewSize(600, 300))
	s.see()
	return s
}

// until makes the calls to the toolkit until something is true.
func (s *shown) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case call := <-s.calls:
			call()
		case <-time.After(time.Millisecond):
		case <-deadline:
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// see draws the pane.
func (s *shown) see() {
	for len(s.calls) > 0 {
		(<-s.calls)()
	}
	size := s.BaseWidget.Size()
	s.draw(int(size.Width), int(size.Height))
}

// capture draws the window, and returns the picture.
func (s *shown) capture() image.Image {
	s.see()
	return s.window.Canvas().Capture()
}

// rows returns the texts of the rows that are wholly in sight.
func (s *shown) rows() (all []string) {
	s.see()
	for i, r := range s.view.inSight {
		l := s.view.get(r.line)
		if i < s.view.rows {
			text := ""
			for _, c := range l.cells[r.from:r.to] {
				text += l.text[c.Start:c.End]
			}
			all = append(all, text)
		}
	}
	return all
}

// at returns the position of the middle of a cell in sight.
func (s *shown) at(row, column int) fyne.Position {
	m := s.pointer.metrics
	return fyne.NewPos(
		float32(m.pad+m.gutter+column*m.cellW)/m.scale+1,
		(float32(m.pad+row*m.cellH)+float32(m.cellH)/2)/m.scale)
}

func (s *shown) press(row, column int, mod fyne.KeyModifier) {
	s.see()
	ev := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary, Modifier: mod}
	ev.Position = s.at(row, column)
	s.MouseDown(ev)
}

func (s *shown) drag(to fyne.Position) {
	ev := &fyne.DragEvent{}
	ev.Position = to
	s.Dragged(ev)
}

func (s *shown) key(name fyne.KeyName) { s.TypedKey(&fyne.KeyEvent{Name: name}) }

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestThePaneFollowsTheNewestLineUntilAPersonScrollsUp(t *testing.T) {
	s := show(t, Options{})
	s.Append([]byte(numbered(1000)))
	last := func() string { rows := s.rows(); return rows[len(rows)-1] }
	if last() != "line 999" {
		t.Fatalf("the last row is %q", last())
	}
	s.Append([]byte("open"))
	s.Append([]byte(" line"))
	if last() != "open line" {
		t.Errorf("the last row is %q", last())
	}
	up := &fyne.ScrollEvent{}
	up.Scrolled = fyne.NewDelta(0, 40)
	s.Scrolled(up)
	before := s.rows()
	s.Append([]byte("\nmore\nand more\n"))
	if after := s.rows(); s.Follows() || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("scrolled up it goes from %q to %q", before, after)
	}
	for range 40 {
		down := &fyne.ScrollEvent{}
		down.Scrolled = fyne.NewDelta(0, -40)
		s.Scrolled(down)
	}
	s.Append([]byte("newest\n"))
	if !s.Follows() || last() != "newest" {
		t.Errorf("at the end again it shows %q", last())
	}
	s.key(fyne.KeyHome)
	if rows := s.rows(); rows[0] != "line 0" || s.Follows() {
		t.Errorf("Home shows %q", rows[0])
	}
	page := s.view.rows
	s.key(fyne.KeyPageDown)
	if rows := s.rows(); rows[0] != fmt.Sprintf("line %d", page-1) {
		t.Errorf("a page below Home is %q", rows[0])
	}
	s.key(fyne.KeyPageUp)
	s.key(fyne.KeyDown)
	if rows := s.rows(); rows[0] != "line 1" {
		t.Errorf("it shows %q", rows[0])
	}
	s.ShowLine(500)
	if rows := s.rows(); rows[page/3] != "line 500" {
		t.Errorf("line 500 is shown as %q", rows)
	}
	s.key(fyne.KeyEnd)
	if !s.Follows() || last() != "newest" {
		t.Errorf("End shows %q", last())
	}
	s.SetText("other\n")
	if rows := s.rows(); fmt.Sprintf("%q", rows) != `["other"]` {
		t.Errorf("another text is shown as %q", rows)
	}
}

func TestLongLinesAreWrappedOrCut(t *testing.T) {
	s := show(t, Options{})
	long := strings.Repeat("word ", 200)
	s.SetText(long + "\nshort\n" + strings.Repeat("中", 300))
	if rows := s.rows(); len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	s.key(fyne.KeyRight)
	s.see()
	if s.view.left != 4 {
		t.Errorf("it begins at column %d", s.view.left)
	}
	s.SetWrap(true)
	s.key(fyne.KeyHome)
	rows := s.rows()
	for _, r := range rows[:len(rows)-1] {
		if len([]rune(r)) > s.view.columns {
			t.Errorf("a row has %q in %d columns", r, s.view.columns)
		}
	}
	if !strings.HasPrefix(strings.Join(rows, ""), long[:900]) {
		t.Errorf("the rows are %q", rows)
	}
	s.key(fyne.KeyEnd)
	rows = s.rows()
	if joined := strings.Join(rows, ""); !strings.HasSuffix(joined, "中中中") || !s.Follows() {
		t.Errorf("the last rows are %q", rows)
	}
	// Up and down again by rows, the same rows are shown.
	for range 10 {
		s.key(fyne.KeyUp)
	}
	for range 10 {
		s.key(fyne.KeyDown)
	}
	if again := s.rows(); fmt.Sprint(again) != fmt.Sprint(rows) {
		t.Errorf("%q, and not %q", again, rows)
	}
}

func TestTextIsSelectedWithTheMouse(t *testing.T) {
	s := show(t, Options{})
	s.SetText("one \x1b[31mtwo\x1b[0m 中文 three\nsecond line\nthird\n")
	drag := func(row, column int) { s.drag(s.at(row, column)); s.DragEnd() }
	expect := func(what, want string) {
		t.Helper()
		s.see()
		if got := s.Selected(); got != want {
			t.Errorf("%s: %q is selected, want %q", what, got, want)
		}
	}
	s.press(0, 4, 0)
	drag(0, 7)
	expect("a drag", "two")
	s.press(2, 2, 0)
	drag(0, 8)
	expect("a drag up", "中文 three\nsecond line\nth")
	s.press(1, 3, 0)
	s.pointer.when = time.Now().Add(time.Hour) // however long the machine takes
	s.press(1, 3, 0)
	expect("a double click", "second")
	s.pointer.when = time.Now().Add(time.Hour)
	s.press(1, 3, 0)
	expect("a triple click", "second line\n")
	s.pointer.when = time.Time{}
	s.press(0, 0, 0)
	s.MouseUp(nil)
	expect("a click", "")
	s.pointer.when = time.Time{}
	s.press(0, 7, fyne.KeyModifierShift)
	expect("a click with Shift", "one two")
	s.TypedShortcut(&fyne.ShortcutCopy{})
	if got := fyne.CurrentApp().Clipboard().Content(); got != "one two" {
		t.Errorf("the clipboard has %q", got)
	}
	s.TypedShortcut(&fyne.ShortcutSelectAll{})
	expect("everything", "one two 中文 three\nsecond line\nthird")
	s.key(fyne.KeyEscape)
	expect("Escape", "")
	menu := s.menu()
	if !menu.Items[0].Disabled || menu.Items[1].Disabled {
		t.Error("without a selection the menu offers to copy it, or not to copy all")
	}
	menu.Items[1].Action()
	if got := fyne.CurrentApp().Clipboard().Content(); !strings.HasPrefix(got, "one two 中文") || strings.Contains(got, "\x1b") {
		t.Errorf("the clipboard has %q", got)
	}
}

func TestADragBeyondTheEdgeScrolls(t *testing.T) {
	s := show(t, Options{})
	s.SetText(numbered(500))
	s.see()
	s.key(fyne.KeyHome)
	s.press(0, 0, 0)
	s.drag(fyne.NewPos(50, s.BaseWidget.Size().Height+400))
	s.until("it has scrolled to the end", func() bool { s.see(); return s.view.top == s.view.bottom() })
	s.DragEnd()
	if got := s.Selected(); !strings.HasPrefix(got, "line 0\nline 1\n") || !strings.Contains(got, "line 480") {
		t.Errorf("%d bytes are selected", len(got))
	}
}

func TestTextIsSelectedWithTheKeys(t *testing.T) {
	s := show(t, Options{})
	s.SetText("one two\nthree\nfour\n")
	s.press(0, 4, 0)
	s.MouseUp(nil)
	s.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	for _, step := range []struct {
		key  fyne.KeyName
		want string
	}{
		{fyne.KeyRight, "t"},
		{fyne.KeyEnd, "two"},
		{fyne.KeyRight, "two\n"},
		{fyne.KeyDown, "two\nthree\n"},
		{fyne.KeyPageDown, "two\nthree\nfour"},
		{fyne.KeyUp, "two\nthre"},
		{fyne.KeyHome, "two\n"},
		{fyne.KeyLeft, "two"},
		{fyne.KeyPageUp, "one "},
	} {
		s.key(step.key)
		if got := s.Selected(); got != step.want {
			t.Errorf("after %s %q is selected, want %q", step.key, got, step.want)
		}
	}
	s.KeyUp(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	with := func(key fyne.KeyName) {
		s.TypedShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault | fyne.KeyModifierShift})
	}
	with(fyne.KeyEnd)
	if got := s.Selected(); got != "two\nthree\nfour" {
		t.Errorf("to the end: %q", got)
	}
	with(fyne.KeyLeft)
	if got := s.Selected(); got != "two\nthree\n" {
		t.Errorf("a word to the left: %q", got)
	}
}

func TestWhatComesIsFoundToo(t *testing.T) {
	s := show(t, Options{})
	s.SetText(numbered(5000))
	var got Found
	s.Find(find.Query{Text: "LINE 4999"}, func(f Found) { got = f })
	s.until("a match", func() bool { return got.Count == 1 && !got.Searching })
	if rows := strings.Join(s.rows(), "|"); !strings.Contains(rows, "line 4999") {
		t.Errorf("it shows %s", rows)
	}
	s.Append([]byte("line 4999 again\n"))
	s.until("another match", func() bool { return got.Count == 2 && !got.Searching })
	s.Append([]byte("x\ny\nline 49"))
	s.Append([]byte("99"))
	s.until("a match in the open line", func() bool { return got.Count == 3 && got.At == 1 && !got.Searching })
	s.Next(-1)
	if got.At != 3 {
		t.Errorf("before the first comes %d", got.At)
	}
	s.Next(1)
	s.Next(1)
	if got.At != 2 {
		t.Errorf("two later is %d", got.At)
	}
	s.Find(find.Query{Text: "Line", Exact: true}, func(f Found) { got = f })
	s.until("nothing is found", func() bool { return got == Found{} })
	s.Find(find.Query{Text: "line"}, func(f Found) { got = f })
	s.until("all", func() bool { return got.Count == 5002 && !got.Searching })
	s.SetText("a line\n")
	s.until("the matches of another text", func() bool { return got.Count == 1 && !got.Searching })
	s.Find(find.Query{}, func(f Found) { got = f })
	if got.Count != 0 {
		t.Error("something is found for nothing")
	}
}

// The last line is searched again with each text that comes, and may lose the match that is shown.
func TestTheShownMatchIsAlwaysOneOfThoseThereAre(t *testing.T) {
	s := show(t, Options{})
	s.SetText("match\n1 % match")
	var got Found
	s.Find(find.Query{Text: "match"}, func(f Found) {
		if got = f; f.At > f.Count {
			t.Errorf("match %d of %d", f.At, f.Count)
		}
	})
	s.until("the matches", func() bool { return got.Count == 2 && !got.Searching })
	s.Next(-1)
	s.Append([]byte(" more"))
	s.until("the search has ended", func() bool { return got.At == 2 && got.Count == 2 && !got.Searching })
	s.Append([]byte("\r2 % nothing left"))
	s.until("the match is gone", func() bool { return got.Count == 1 && !got.Searching })
	s.Next(1) // there is one to go to
	if got.At != 1 {
		t.Errorf("it shows match %d", got.At)
	}
}

func TestAClickOnALineOpensWhatItNames(t *testing.T) {
	var opened []string
	s := show(t, Options{
		Opens: func(text string) bool { return strings.HasPrefix(text, "File") },
		Open:  func(text string) { opened = append(opened, text) },
	})
	s.SetText("plain\nFile a\n")
	s.see()
	tap := func(row, column int) { s.Tapped(&fyne.PointEvent{Position: s.at(row, column)}) }
	tap(0, 2)
	tap(1, 200)
	tap(1, 2)
	s.press(1, 2, 0)
	s.drag(s.at(1, 4))
	s.DragEnd()
	tap(1, 3)
	if fmt.Sprint(opened) != "[File a]" {
		t.Errorf("opened are %q", opened)
	}
	over := &desktop.MouseEvent{}
	over.Position = s.at(1, 2)
	if s.MouseMoved(over); s.Cursor() != desktop.PointerCursor {
		t.Error("the pointer does not show that a click does something")
	}
	over.Position = s.at(0, 2)
	if s.MouseMoved(over); s.Cursor() != desktop.TextCursor {
		t.Error("the pointer shows that a click does something on a plain line")
	}
}

// has reports whether a picture has a colour in a row of the pane.
func (s *shown) has(row int, c color.RGBA) bool {
	img := s.capture()
	m := s.pointer.metrics
	for y := m.pad + row*m.cellH; y < m.pad+(row+1)*m.cellH; y++ {
		for x := range m.width - m.bar {
			r, g, b, _ := img.At(x, y).RGBA()
			if uint8(r>>8) == c.R && uint8(g>>8) == c.G && uint8(b>>8) == c.B {
				return true
			}
		}
	}
	return false
}

func TestColoursAreSeenInBothThemesAndAtBothScales(t *testing.T) {
	for _, variant := range []fyne.ThemeVariant{theme.VariantLight, theme.VariantDark} {
		for _, scale := range []float32{1, 2} {
			s := show(t, Options{Spans: func(line int, _ string) []Span {
				if line == 3 {
					return []Span{{0, 4, color.RGBA{0, 0x60, 0xc0, 0xff}, false, false}}
				}
				return nil
			}})
			fyne.CurrentApp().Settings().SetTheme(ofVariant{theme.DefaultTheme(), variant})
			s.window.Canvas().(interface{ SetScale(float32) }).SetScale(scale)
			s.SetText("\x1b[41mred\x1b[0m\n\x1b[7minverse\x1b[0m\nplain\ncode\nmarked\nselected\n")
			s.see()
			s.Mark(4)
			s.Select(selection.Pos{Line: 5}, selection.Pos{Line: 5, Byte: 4})
			p := paletteOf(s.Theme(), variant)
			p.dark = variant == theme.VariantDark
			red := hex(sixteen[0][1])
			if p.dark {
				red = hex(sixteen[1][1])
			}
			for row, want := range []color.RGBA{red, p.fore, p.fore, {}, p.mark, p.select_} {
				if row != 3 && !s.has(row, want) {
					t.Errorf("variant %v, scale %v: row %d has no %v", variant, scale, row, want)
				}
			}
			if s.has(2, red) {
				t.Errorf("variant %v: a plain line is red", variant)
			}
			s.capture()
			if m := s.pointer.metrics; m.scale != scale {
				t.Errorf("it was drawn at scale %v, want %v", m.scale, scale)
			}
			if got := contrast(s.palette.back, s.palette.on(s.palette.back, s.palette.back)); got < leastContrast {
				t.Errorf("text in the colour of its background has the contrast %v", got)
			}
		}
	}
}

type ofVariant struct {
	fyne.Theme
	variant fyne.ThemeVariant
}

func (v ofVariant) Color(name fyne.ThemeColorName, _ fyne.ThemeVariant) color.Color {
	return v.Theme.Color(name, v.variant)
}

func TestTheThumbIsPulledToAnyLine(t *testing.T) {
	s := show(t, Options{})
	s.SetText(numbered(100_000))
	s.see()
	m := s.pointer.metrics
	down := &desktop.MouseEvent{Button: desktop.MouseButtonPrimary}
	down.Position = fyne.NewPos(float32(m.width-m.bar/2), float32(m.height-2))
	s.MouseDown(down)
	s.drag(down.Position.SubtractXY(0, float32(m.height)/2))
	if rows := s.rows(); s.view.top.line < 30_000 || s.view.top.line > 60_000 || s.Follows() {
		t.Errorf("in the middle it shows %q", rows[0])
	}
	s.drag(down.Position.SubtractXY(0, float32(2*m.height)))
	if rows := s.rows(); rows[0] != "line 0" {
		t.Errorf("at the top it shows %q", rows[0])
	}
	s.drag(down.Position.AddXY(0, 100))
	s.MouseUp(nil)
	if rows := s.rows(); rows[len(rows)-1] != "line 99999" || !s.Follows() {
		t.Errorf("at the bottom it shows %q", rows[len(rows)-1])
	}
}

// Whatever comes and whatever is pressed, the rows in sight are lines of the text, in their order.
func TestWhatIsInSightIsInTheText(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := show(t, Options{Buffer: buffer.Options{Max: 40_000, Memory: 4000}})
		var all strings.Builder
		lines := 0
		keys := []fyne.KeyName{fyne.KeyHome, fyne.KeyEnd, fyne.KeyPageUp, fyne.KeyPageDown, fyne.KeyUp, fyne.KeyDown, fyne.KeyLeft, fyne.KeyRight}
		for range 100 {
			switch r.IntN(8) {
			case 0, 1:
				for range r.IntN(200) {
					line := fmt.Sprintf("%d %s", lines, strings.Repeat("word 中 ", r.IntN(30)))
					all.WriteString(line + "\n")
					s.Append([]byte(line))
					s.Append([]byte("\n"))
					lines++
				}
			case 2:
				s.SetWrap(r.IntN(2) == 0)
			case 3:
				s.window.Resize(fyne.NewSize(200+float32(r.IntN(500)), 80+float32(r.IntN(300))))
			case 4:
				s.press(r.IntN(10), r.IntN(40), 0)
				s.drag(fyne.NewPos(float32(r.IntN(400)), float32(r.IntN(600)-150)))
				s.DragEnd()
			case 5:
				s.shift = r.IntN(2) == 0
			default:
				s.key(keys[r.IntN(len(keys))])
			}
			rows := s.rows()
			first, end := s.Lines()
			if end != lines || len(rows) == 0 && end > first {
				t.Fatalf("seed %d: %d rows of %d lines, which are %d", seed, len(rows), end-first, lines)
			}
			if !s.view.wrap && len(rows) < min(s.view.rows, end-first) {
				t.Fatalf("seed %d: %d rows of %d are full, with lines %d to %d from %v on", seed, len(rows), s.view.rows, first, end, s.view.top)
			}
			if joined := strings.Join(rows, "\n"); !s.view.wrap && !strings.Contains(all.String(), joined) {
				t.Fatalf("seed %d: it shows %q", seed, joined)
			}
			if text := s.Selected(); !strings.Contains(all.String(), text) {
				t.Fatalf("seed %d: %d bytes are selected that are not in the text", seed, len(text))
			}
		}
	}
}
