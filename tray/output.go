//go:build !headless

package tray

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/tray/textpane"
	"blendtray/tray/textpane/buffer"
	textfind "blendtray/tray/textpane/find"
)

// outputView shows what a run prints, and finds text in it. Its methods must be called on Fyne's
// goroutine; its pane takes text on any.
type outputView struct {
	content fyne.CanvasObject
	window  *window
	pane    *textpane.Pane
	find    *findEntry
	count   *widget.Label
	exact   *widget.Button
	wrap    *widget.Button

	above    *widget.Label // how much is not shown; hidden while everything is
	aboveBox *fyne.Container
	// beginning, if not nil, returns a function for any goroutine that returns the text that the engine
	// has from the beginning of what is shown now.
	beginning func() func(context.Context) ([]byte, error)
}

// place matches a line of a traceback that names a file and a line.
var place = regexp.MustCompile(`^\s*File "(.+)", line (\d+)`)

// namesPlace returns the file and the line that a line of a traceback names, or the picture that a line
// of the console names.
func namesPlace(text string) (path string, line int, ok bool) {
	if path, ok := namesPicture(text); ok {
		return path, 0, true
	}
	m := place.FindStringSubmatch(text)
	if m == nil || !filepath.IsAbs(m[1]) {
		return "", 0, false
	}
	line, err := strconv.Atoi(m[2])
	return m[1], line, err == nil
}

// findEntry is the field for the text to find: Enter goes to the next match, Shift+Enter to the
// match before, Escape clears the field.
type findEntry struct {
	entry
	step func(int)
	back bool // Shift is held
}

func (e *findEntry) KeyDown(key *fyne.KeyEvent) { e.shift(key, true) }
func (e *findEntry) KeyUp(key *fyne.KeyEvent)   { e.shift(key, false) }

func (e *findEntry) shift(key *fyne.KeyEvent, down bool) {
	if key.Name == "LeftShift" || key.Name == "RightShift" {
		e.back = down
	}
	if down {
		e.entry.KeyDown(key)
	} else {
		e.entry.KeyUp(key)
	}
}

func (e *findEntry) TypedKey(key *fyne.KeyEvent) {
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		if e.back {
			e.step(-1)
		} else {
			e.step(1)
		}
	case fyne.KeyEscape:
		e.SetText("")
	default:
		e.entry.TypedKey(key)
	}
}

// newOutputView returns an empty view.
func newOutputView(w *window) *outputView {
	v := &outputView{window: w, count: widget.NewLabel("")}
	v.pane = textpane.New(textpane.Options{
		Buffer: buffer.Options{Hide: isStatus},
		Do:     func(f func()) { w.shell.do(func() { f(); v.tellAbove() }) },
		Opens:  func(text string) bool { _, _, ok := namesPlace(text); return ok },
		Open: func(text string) {
			path, line, _ := namesPlace(text)
			w.shell.try("open the script", func(context.Context) error { return w.shell.cfg.Host.Open(path, line) })
		},
		Wrapped:  func(bool) { toggle(v.wrap) },
		Shortcut: w.typed,
	})
	v.find = &findEntry{entry: entry{typed: w.typed}, step: v.pane.Next}
	v.find.SetPlaceHolder("Find in the output")
	v.find.ExtendBaseWidget(v.find)
	v.find.OnChanged = func(string) { v.search() }
	v.exact = widget.NewButton("Aa", func() {
		toggle(v.exact)
		v.search()
	})
	v.wrap = widget.NewButton("Wrap", func() {
		toggle(v.wrap)
		v.pane.SetWrap(isOn(v.wrap))
	})
	v.exact.Importance, v.wrap.Importance = widget.LowImportance, widget.LowImportance
	buttons := container.NewHBox(
		v.count,
		widget.NewButtonWithIcon("", theme.MoveUpIcon(), func() { v.pane.Next(-1) }),
		widget.NewButtonWithIcon("", theme.MoveDownIcon(), func() { v.pane.Next(1) }),
		v.exact, v.wrap,
		widget.NewButtonWithIcon("", theme.DownloadIcon(), v.pane.Follow),
	)
	v.above = widget.NewLabel("")
	v.above.Wrapping = fyne.TextWrapWord
	v.aboveBox = container.NewBorder(nil, nil, nil, widget.NewButtonWithIcon("Open the whole", theme.DocumentIcon(), v.openWhole), v.above)
	v.aboveBox.Hide()
	v.content = container.NewPadded(container.NewBorder(v.aboveBox, container.NewBorder(nil, nil, nil, buttons, v.find), nil, nil, v.pane))
	return v
}

// toggle turns a button on or off, and isOn reports whether it is.
func toggle(b *widget.Button) {
	if isOn(b) {
		b.Importance = widget.LowImportance
	} else {
		b.Importance = widget.HighImportance
	}
	b.Refresh()
}

func isOn(b *widget.Button) bool { return b.Importance == widget.HighImportance }

// search finds the text of the field, and shows how often it is there.
func (v *outputView) search() {
	v.pane.Find(textfind.Query{Text: v.find.Text, Exact: isOn(v.exact)}, func(f textpane.Found) {
		v.count.SetText(v.countWords(f))
	})
}

func (v *outputView) countWords(f textpane.Found) string {
	switch {
	case v.find.Text == "":
		return ""
	case f.Count == 0 && f.Searching:
		return "searching…"
	case f.Count == 0:
		return "not found"
	case f.More:
		return fmt.Sprintf("%d of %d+", f.At, f.Count)
	}
	return fmt.Sprintf("%d of %d", f.At, f.Count)
}

// tellAbove says how much was printed before what is shown.
func (v *outputView) tellAbove() {
	kept, dropped := v.pane.Kept()
	text := ""
	if dropped > 0 {
		text = fmt.Sprintf("%s above are not shown: the window keeps the newest %s.", megabytes(dropped), megabytes(kept))
	}
	if text == v.above.Text {
		return
	}
	v.above.SetText(text)
	v.aboveBox.Hidden = text == ""
	v.content.Refresh()
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", max(1, n>>20)) }

// openWhole writes the beginning that the engine has, and what is shown, into a file, and opens it.
func (v *outputView) openWhole() {
	w, write := v.window, v.pane.Writer()
	_, dropped := v.pane.Kept()
	beginning := func(context.Context) ([]byte, error) { return nil, nil }
	if v.beginning != nil && dropped > 0 {
		beginning = v.beginning()
	}
	w.shell.try("open the output", func(ctx context.Context) error {
		first, err := beginning(ctx)
		if err != nil {
			return err
		}
		path, err := writeWhole(write, first, dropped)
		if err != nil {
			return err
		}
		return w.shell.cfg.Host.Open(path, 0)
	})
}

// writeWhole writes a text into a new file, after its beginning as far as somebody has that, and a line
// that says how many of the bytes before the text are missing between them. It returns the path of the
// file.
func writeWhole(write func(io.Writer) error, beginning []byte, before int64) (string, error) {
	file, err := os.CreateTemp("", "blendtray-output-*.txt")
	if err != nil {
		return "", err
	}
	if missing := before - int64(len(beginning)); missing > 0 {
		beginning = fmt.Appendf(beginning, "\n[… %d bytes of output are not kept …]\n", missing)
	}
	if _, err = file.Write(beginning); err == nil {
		err = write(file)
	}
	if err == nil {
		_, err = file.WriteString("\n")
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(file.Name()) // a part of it would be taken for the whole
		return "", err
	}
	return file.Name(), nil
}

// isStatus reports whether a line is one by which Blender says how far a render is, which the
// progress bar shows. Of an open line, the end may be missing.
func isStatus(line []byte, open bool) bool {
	if !open {
		return isWholeStatus(line)
	}
	text := string(line)
	if rest, ok := strings.CutPrefix(text, "Fra:"); ok {
		return rest != "" && rest[0] >= '0' && rest[0] <= '9'
	}
	return logTime.MatchString(text)
}

// logTime matches the beginning of a line of Blender's log of renders, "00:01.203  render  | ".
var logTime = regexp.MustCompile(`^\d+:\d\d\.\d+ +(r|re|ren|rend|rende|render *(\|.*)?)$`)
