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
	"fyne.io/fyne/v2/lang"
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
	follow  *widget.Button // shows the newest line; hidden where no text grows
	// pictures is true where a line may name a picture, as in the console's transcript.
	pictures bool

	above    *widget.Label // how much is not shown; hidden while everything is
	aboveBox *fyne.Container
	// beginning, if not nil, returns a function for any goroutine that returns the text that the engine
	// has from the beginning of what is shown now.
	beginning func() func(context.Context) ([]byte, error)
}

// place matches a line of a traceback that names a file and a line.
var place = regexp.MustCompile(`^\s*File "(.+)", line (\d+)`)

// namesPlace returns the file and the line that a line of a traceback names.
func namesPlace(text string) (path string, line int, ok bool) {
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

// TypedShortcut forgets that Shift is held when the window has the shortcut: what the shortcut opens may
// hear the release of Shift in place of the field.
func (e *findEntry) TypedShortcut(s fyne.Shortcut) {
	if e.typed(s) {
		e.back = false
		return
	}
	e.Entry.TypedShortcut(s)
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

// newOutputView returns an empty view of an output.
func newOutputView(w *window) *outputView {
	return newGrowingView(w, lang.L("Find in the output"), isStatus)
}

// newGrowingView returns an empty view of a text that grows, in which hide leaves out lines unless it is
// nil. A click on a line that names a file and a line opens that, and in a view with pictures a click on a
// line that names a picture opens the picture. placeHolder stands in the empty field
// for the text to find.
func newGrowingView(w *window, placeHolder string, hide func(line []byte, open bool) bool) *outputView {
	var v *outputView
	v = newTextView(w, placeHolder, textpane.Options{
		Buffer: buffer.Options{Hide: hide},
		Opens:  func(text string) bool { return v.opens(text) },
		Open:   func(text string) { v.open(text) },
	})
	v.follow.Show()
	return v
}

// opens reports whether a click on a line opens something.
func (v *outputView) opens(text string) bool {
	_, _, traced := namesPlace(text)
	_, isPicture := namesPicture(text)
	return traced || v.pictures && isPicture
}

// open opens what a line names.
func (v *outputView) open(text string) {
	if path, line, ok := namesPlace(text); ok {
		v.window.edit(path, line)
	} else if path, ok := namesPicture(text); ok && v.pictures {
		openFile(v.window, path)
	}
}

// newTextView returns an empty view of a text with a pane of its own kind. placeHolder stands in the
// empty field for the text to find.
func newTextView(w *window, placeHolder string, opts textpane.Options) *outputView {
	v := &outputView{window: w, count: widget.NewLabel("")}
	opts.Do = func(f func()) { w.shell.do(func() { f(); v.tellAbove() }) }
	opts.Wrapped = func(bool) { toggle(v.wrap) }
	opts.Shortcut = w.typed
	v.pane = textpane.New(opts)
	v.find = &findEntry{entry: entry{typed: w.typed}, step: v.pane.Next}
	v.find.SetPlaceHolder(placeHolder)
	v.find.ExtendBaseWidget(v.find)
	v.find.OnChanged = func(string) { v.search() }
	v.exact = widget.NewButton("Aa", func() {
		toggle(v.exact)
		v.search()
	})
	v.wrap = widget.NewButton(lang.L("Wrap"), func() {
		toggle(v.wrap)
		v.pane.SetWrap(isOn(v.wrap))
	})
	v.exact.Importance, v.wrap.Importance = widget.LowImportance, widget.LowImportance
	v.follow = widget.NewButtonWithIcon("", theme.DownloadIcon(), v.pane.Follow)
	v.follow.Hide()
	buttons := container.NewHBox(
		v.count,
		widget.NewButtonWithIcon("", theme.MoveUpIcon(), func() { v.pane.Next(-1) }),
		widget.NewButtonWithIcon("", theme.MoveDownIcon(), func() { v.pane.Next(1) }),
		v.exact, v.wrap,
		v.follow,
	)
	v.above = widget.NewLabel("")
	v.above.Wrapping = fyne.TextWrapWord
	v.aboveBox = container.NewBorder(nil, nil, nil, widget.NewButtonWithIcon(lang.L("Open the whole output"), theme.DocumentIcon(), v.openWhole), v.above)
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
		return lang.L("searching…")
	case f.Count == 0:
		return lang.L("not found")
	case f.More:
		return lang.L("{{.At}} of {{.Count}} or more", with{"At": grouped(f.At), "Count": grouped(f.Count)})
	}
	return lang.L("{{.At}} of {{.Count}}", with{"At": grouped(f.At), "Count": grouped(f.Count)})
}

// tellAbove says how much was printed before what is shown.
func (v *outputView) tellAbove() {
	kept, dropped := v.pane.Kept()
	text := ""
	if dropped > 0 {
		text = lang.L("{{.Missing}} above are not shown: the window keeps the newest {{.Kept}}.", with{"Missing": bytesText(dropped), "Kept": bytesText(kept)})
	}
	if text == v.above.Text {
		return
	}
	v.above.SetText(text)
	v.aboveBox.Hidden = text == ""
	v.content.Refresh()
}

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
