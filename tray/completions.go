//go:build !headless

package tray

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// completions are the texts that may stand at the cursor of the console, of which a person chooses.
type completions struct {
	start   int      // where they begin in the code, in runes
	all     []string // what the session has answered
	matches []string // those that go on as the person has typed since
	at      int      // the marked match
}

// visibleMatches is how many matches are in sight.
const visibleMatches = 8

// narrow keeps the matches that begin with what is typed, and reports whether there are any others
// than that itself.
func (c *completions) narrow(typed string) bool {
	c.matches, c.at = nil, 0
	for _, m := range c.all {
		if strings.HasPrefix(m, typed) {
			c.matches = append(c.matches, m)
		}
	}
	return len(c.matches) > 1 || len(c.matches) == 1 && c.matches[0] != typed
}

// move marks another match. It stays within the list, but a step beyond an end goes to the other end.
func (c *completions) move(by int) {
	n := len(c.matches)
	switch {
	case n == 0:
	case by == 1 || by == -1:
		c.at = (c.at + by + n) % n
	default:
		c.at = min(max(c.at+by, 0), n-1)
	}
}

// inSight returns the matches in sight, and where in them the marked match is.
func (c *completions) inSight() (some []string, marked int) {
	first := min(max(0, c.at-visibleMatches/2), max(0, len(c.matches)-visibleMatches))
	return c.matches[first:min(first+visibleMatches, len(c.matches))], c.at - first
}

// commonPrefix returns the text with which all texts begin.
func commonPrefix(all []string) string {
	if len(all) == 0 {
		return ""
	}
	prefix := all[0]
	for _, text := range all[1:] {
		for !strings.HasPrefix(text, prefix) {
			_, size := utf8.DecodeLastRuneInString(prefix)
			prefix = prefix[:len(prefix)-size]
		}
	}
	return prefix
}

// lastPart returns what of a match is shown: the attribute, or the key in its brackets.
func lastPart(match string) string {
	from, quote := 0, byte(0)
	for i := 0; i < len(match); i++ {
		switch c := match[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '[':
			from = i
		case c == '.':
			from = i + 1
		}
	}
	return match[from:]
}

// completionList shows completions beside the cursor. The code keeps the focus, and its keys choose.
type completionList struct {
	widget.BaseWidget
	completions
	take func(match string)

	back  *canvas.Rectangle
	rows  *fyne.Container
	count *canvas.Text
	box   fyne.CanvasObject
}

func newCompletionList(take func(string)) *completionList {
	l := &completionList{take: take, back: canvas.NewRectangle(nil), rows: container.New(listLayout{}), count: canvas.NewText("", nil)}
	l.back.StrokeWidth, l.back.CornerRadius = 1, 4
	l.count.Alignment = fyne.TextAlignTrailing
	l.box = container.NewStack(l.back, container.New(listLayout{}, l.rows, l.count))
	l.ExtendBaseWidget(l)
	l.Hide()
	return l
}

// CreateRenderer returns a renderer; see [fyne.Widget].
func (l *completionList) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(l.box) }

// open shows what a session has answered, as far as it goes on from what is typed. It reports whether
// there is anything to choose.
func (l *completionList) open(found api.Completion, typed string) bool {
	l.start, l.all = found.Start, found.Matches
	return l.update(typed)
}

// update shows the matches that begin with what is typed now, and closes the list where there are none.
func (l *completionList) update(typed string) bool {
	if !l.narrow(typed) {
		l.close()
		return false
	}
	l.show()
	return true
}

func (l *completionList) show() {
	th, variant := l.Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	l.back.FillColor = th.Color(theme.ColorNameMenuBackground, variant)
	l.back.StrokeColor = th.Color(theme.ColorNameInputBorder, variant)
	l.rows.RemoveAll()
	some, marked := l.inSight()
	for i, match := range some {
		l.rows.Add(newCompletionRow(match, i == marked, l.take))
	}
	l.count.Text = ""
	if len(l.matches) > visibleMatches {
		l.count.Text = lang.L("{{.At}} of {{.Count}}", map[string]any{"At": l.at + 1, "Count": len(l.matches)}) + " "
	}
	l.count.Hidden = l.count.Text == ""
	l.count.TextSize = th.Size(theme.SizeNameCaptionText)
	l.count.Color = th.Color(theme.ColorNamePlaceHolder, variant)
	l.Resize(l.box.MinSize())
	l.Show()
	l.box.Refresh()
	l.Refresh()
}

// MinSize returns the size of the list; see [fyne.CanvasObject].
func (l *completionList) MinSize() fyne.Size {
	if !l.Visible() {
		return fyne.Size{} // what is hidden makes no window larger
	}
	return l.box.MinSize()
}

func (l *completionList) close() {
	l.all, l.matches = nil, nil
	l.rows.RemoveAll()
	l.Hide()
}

// key does what a key means while the list is open, and reports whether it means something.
func (l *completionList) key(name fyne.KeyName) bool {
	if !l.Visible() {
		return false
	}
	switch name {
	case fyne.KeyUp:
		l.move(-1)
	case fyne.KeyDown:
		l.move(1)
	case fyne.KeyPageUp:
		l.move(-visibleMatches)
	case fyne.KeyPageDown:
		l.move(visibleMatches)
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeyTab:
		l.take(l.matches[l.at])
		return true
	case fyne.KeyEscape:
		l.close()
		return true
	default:
		return false
	}
	l.show()
	return true
}

// completionRow is a match in the list, which a click takes.
type completionRow struct {
	widget.BaseWidget
	match string
	take  func(string)
	box   fyne.CanvasObject
}

// maxMatch is how many characters of a match are shown.
const maxMatch = 60

func newCompletionRow(match string, marked bool, take func(string)) *completionRow {
	th, variant := fyne.CurrentApp().Settings().Theme(), fyne.CurrentApp().Settings().ThemeVariant()
	text := canvas.NewText(" "+oneLine(lastPart(match), maxMatch)+" ", th.Color(theme.ColorNameForeground, variant))
	text.TextStyle.Monospace = true
	text.TextSize = th.Size(theme.SizeNameText)
	back := canvas.NewRectangle(nil)
	if marked {
		back.FillColor = th.Color(theme.ColorNameSelection, variant)
	}
	r := &completionRow{match: match, take: take, box: container.NewStack(back, text)}
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer returns a renderer; see [fyne.Widget].
func (r *completionRow) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.box) }

// MouseDown takes the match. A click comes too late: the code has lost the focus by then, and with it
// the list is closed.
func (r *completionRow) MouseDown(*desktop.MouseEvent) { r.take(r.match) }

// MouseUp does nothing; see [desktop.Mouseable].
func (r *completionRow) MouseUp(*desktop.MouseEvent) {}

// listLayout lays objects out below each other, without the gaps of a box.
type listLayout struct{}

// listPadding is the room beside what lies in a [listLayout].
const listPadding = 2

// Layout places the objects; see [fyne.Layout].
func (listLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		height := o.MinSize().Height
		o.Move(fyne.NewPos(listPadding, y+1))
		o.Resize(fyne.NewSize(size.Width-2*listPadding, height))
		y += height
	}
}

// MinSize returns the size of the objects; see [fyne.Layout].
func (listLayout) MinSize(objects []fyne.CanvasObject) (size fyne.Size) {
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		size.Width = max(size.Width, m.Width+2*listPadding)
		size.Height += m.Height
	}
	size.Height += 2
	return size
}

// isWordRune reports whether a rune goes on with a name.
func isWordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
