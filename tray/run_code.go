//go:build !headless

package tray

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"

	"blendtray/api"
	"blendtray/tray/syntax"
	"blendtray/tray/textpane"
)

const (
	// maxCodeShown is how much code the window shows, and maxCodeColored how much of it in colours: 1.3 s
	// of reading, on another goroutine than Fyne's.
	maxCodeShown   = 4 << 20
	maxCodeColored = 512 << 10
	// maxCodeRow is how long a line may be that is a single line of the pane, too.
	maxCodeRow = 8 << 10
	// maxCodeName is how much of the name of a script the name of a copy of its code has, in bytes.
	maxCodeName = 150
)

// shownCode is the code of a run as a pane shows it.
type shownCode struct {
	text string
	// rows are the lines of the pane, and lines is how many lines the code has.
	rows  []codeRow
	lines int
	// notice is a sentence about what is shown, or "". tooLong is true when nothing is shown.
	notice  string
	tooLong bool
}

// codeRow is a line of the pane.
type codeRow struct {
	number int // of the line of the code, or 0 where the row goes on with a long line
	spans  []syntax.Span
}

// readCode returns how the source of a run is shown.
func readCode(source []byte) shownCode {
	if len(source) > maxCodeShown {
		return shownCode{tooLong: true, notice: lang.L("The script has {{.Size}}, which is too much to be shown here.", with{"Size": size(int64(len(source)))})}
	}
	c := shownCode{}
	text := string(bytes.TrimPrefix(source, []byte("\ufeff")))
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
		c.notice = lang.L("The script is not UTF-8: some of its characters are shown as �.")
	}
	text = strings.TrimSuffix(visible(text), "\n")
	var spans [][]syntax.Span
	if len(text) > maxCodeColored {
		c.notice = lang.L("The script is long, and is shown without colours.")
	} else if colored, err := syntax.Python(text); err == nil { // without colours, code can be read, too
		spans = colored
	}
	var out strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		var of []syntax.Span
		if c.lines < len(spans) {
			of = spans[c.lines]
		}
		c.lines++
		for number := c.lines; ; number = 0 {
			end := rowEnd(line)
			c.rows = append(c.rows, codeRow{number, cutSpans(of, end)})
			out.WriteString(line[:end])
			out.WriteByte('\n')
			if end == len(line) {
				break
			}
			line, of = line[end:], shiftSpans(of, end)
		}
	}
	c.text = out.String()
	return c
}

// visible returns code as a pane shows it: with line feeds alone between the lines, and with signs for
// control characters, which the pane would obey.
func visible(code string) string {
	code = strings.ReplaceAll(strings.ReplaceAll(code, "\r\n", "\n"), "\r", "\n")
	if !strings.ContainsFunc(code, isControl) {
		return code
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0x7f:
			return '␡'
		case isControl(r) && r < 0x20:
			return '␀' + r
		case isControl(r):
			return '\ufffd'
		}
		return r
	}, code)
}

func isControl(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }

// rowEnd returns how much of a line is in one row.
func rowEnd(line string) int {
	if len(line) <= maxCodeRow {
		return len(line)
	}
	end := maxCodeRow
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return end
}

// cutSpans returns the spans before a byte.
func cutSpans(spans []syntax.Span, end int) []syntax.Span {
	i := len(spans)
	for i > 0 && spans[i-1].Start >= end {
		i--
	}
	spans = slices.Clip(spans[:i])
	if i > 0 && spans[i-1].End > end {
		spans = slices.Clone(spans)
		spans[i-1].End = end
	}
	return spans
}

// shiftSpans returns the spans from a byte on, in bytes from there.
func shiftSpans(spans []syntax.Span, from int) []syntax.Span {
	var rest []syntax.Span
	for _, s := range spans {
		if s.End > from {
			rest = append(rest, syntax.Span{Start: max(0, s.Start-from), End: s.End - from, Kind: s.Kind})
		}
	}
	return rest
}

// rowOf returns the row in which a line begins, or -1 where the code has no such line.
func (c *shownCode) rowOf(line int) int {
	if line < 1 || line > c.lines {
		return -1
	}
	if len(c.rows) == c.lines {
		return line - 1
	}
	return slices.IndexFunc(c.rows, func(r codeRow) bool { return r.number == line })
}

// codeColors are the colours of the parts of code, in the light and in the dark theme.
var codeColors = [...][2]color.NRGBA{
	syntax.Keyword:   {rgb(0x8a2da5), rgb(0xd78bf0)},
	syntax.Builtin:   {rgb(0x00707a), rgb(0x4fc8d6)},
	syntax.Defined:   {rgb(0x1f56c0), rgb(0x6ea8fe)},
	syntax.Decorator: {rgb(0x8f5600), rgb(0xe5b34d)},
	syntax.Constant:  {rgb(0xb3261e), rgb(0xff9a91)},
	syntax.String:    {rgb(0x1b7a2b), rgb(0x8ae696)},
	syntax.Escape:    {rgb(0x00707a), rgb(0x84e1ec)},
	syntax.Number:    {rgb(0xa04a00), rgb(0xffb870)},
	syntax.Comment:   {rgb(0x6a6a6e), rgb(0xa0a0a8)},
}

// codeColor is the colour of a part of code in the theme that is set when it is drawn.
type codeColor syntax.Kind

func (c codeColor) RGBA() (r, g, b, a uint32) {
	pair := codeColors[c]
	if fyne.CurrentApp().Settings().ThemeVariant() == theme.VariantLight {
		return pair[0].RGBA()
	}
	return pair[1].RGBA()
}

// codeView is the tab Code of a run: what the run has executed, with the failing line marked.
type codeView struct {
	window  *window
	content fyne.CanvasObject
	view    *outputView
	remark  *remark
	run     api.Run   // whose code is shown or was asked for
	code    shownCode // empty until the engine has answered
	there   bool      // the engine has answered
}

func newCodeView(w *window) *codeView {
	v := &codeView{window: w}
	v.view = newTextView(w, lang.L("Find in the code"), textpane.Options{
		Labels:     func(row int) string { return v.label(row) },
		LabelWidth: func() int { return len(strconv.Itoa(max(1, v.code.lines))) },
		Spans:      func(row int, _ string) []textpane.Span { return v.spans(row) },
	})
	v.remark, v.content = newRemark(lang.L("Open the code"), v.openFile, v.view.content)
	return v
}

func (v *codeView) label(row int) string {
	if row < 0 || row >= len(v.code.rows) || v.code.rows[row].number == 0 {
		return ""
	}
	return strconv.Itoa(v.code.rows[row].number)
}

func (v *codeView) spans(row int) []textpane.Span {
	if row < 0 || row >= len(v.code.rows) {
		return nil
	}
	spans := v.code.rows[row].spans
	shown := make([]textpane.Span, len(spans))
	for i, s := range spans {
		shown[i] = textpane.Span{Start: s.Start, End: s.End, Color: codeColor(s.Kind)}
	}
	return shown
}

// show shows the code of a run. It asks the engine for the code, unless it has the code already.
func (v *codeView) show(r api.Run) {
	if r.ID == v.run.ID {
		ended := r.State != v.run.State
		if v.run = r; ended && v.there {
			v.showError()
		}
		return
	}
	v.drop()
	v.run = r
	if !hasCode(r) {
		v.there = true
		v.remark.say(noCodeWords(r), false)
		return
	}
	v.remark.say(lang.L("Asking the engine for the code…"), false)
	fetch(v.window, func(ctx context.Context) (shownCode, error) {
		source, err := v.window.shell.cfg.Client.Code(ctx, r.ID)
		if err != nil {
			return shownCode{}, err
		}
		return readCode(source), nil
	}, func(code shownCode, err error) {
		if v.run.ID != r.ID {
			return // another run is shown by now
		}
		v.there = true
		if err != nil {
			v.remark.say(lang.L("The code can't be read: {{.Why}}", with{"Why": revealed(err.Error())}), false)
			return
		}
		v.remark.say(code.notice, code.tooLong)
		v.code = code
		v.code.text = ""
		v.view.pane.SetText(code.text)
		v.later(func() {
			v.view.pane.ShowLine(0)
			v.showError()
		})
	})
}

// later calls a function when the pane has the text that it was given, unless another run is shown by
// then.
func (v *codeView) later(do func()) {
	id := v.run.ID
	v.window.shell.do(func() {
		if v.run.ID == id {
			do()
		}
	})
}

// showError marks the line that failed, and shows the line. It reports whether there is such a line.
func (v *codeView) showError() bool {
	row := -1
	if e := v.run.Error; e != nil {
		row = v.code.rowOf(e.Line)
	}
	v.view.pane.Mark(row)
	if row >= 0 {
		v.view.pane.ShowLine(row)
	}
	return row >= 0
}

// drop forgets the code.
func (v *codeView) drop() {
	if v.run.ID == "" {
		return
	}
	v.run, v.code, v.there = api.Run{}, shownCode{}, false
	v.view.pane.Clear()
	v.remark.say("", false)
}

// openFile opens the code in the person's editor: a copy of what the run has executed, since the
// script's file may have changed.
func (v *codeView) openFile() {
	w, r, command := v.window, v.run, v.window.editor()
	w.shell.try("open the code", func(ctx context.Context) error {
		source, err := w.shell.cfg.Client.Code(ctx, r.ID)
		if err != nil {
			return err
		}
		path, err := writeCode(r, source)
		if err != nil {
			return err
		}
		return w.shell.cfg.Host.Edit(command, path, lineOf(r))
	})
}

// writeCode writes the code of a run into a new file that has the name of the script, and returns its
// path.
func writeCode(r api.Run, source []byte) (string, error) {
	name := "script"
	if filepath.IsAbs(r.Script) {
		name = strings.TrimSuffix(filepath.Base(r.Script), filepath.Ext(r.Script))
	}
	for len(name) > maxCodeName { // the name of a file has 255 bytes at most
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	file, err := os.CreateTemp("", fmt.Sprintf("%s-run-%s-*.py", strings.ReplaceAll(name, "*", "_"), r.ID))
	if err != nil {
		return "", err
	}
	_, err = file.Write(source)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(file.Name()) // a part of it would be taken for the whole
		return "", err
	}
	return file.Name(), nil
}

// lineOf returns the line of the script that has failed, or 0.
func lineOf(r api.Run) int {
	if r.Error == nil {
		return 0
	}
	return r.Error.Line
}

// hasCode reports whether a run has a script that can be shown and run again.
func hasCode(r api.Run) bool { return r.ID != "" && !r.RendersOnly() && r.Source != api.FromSession }

// noCodeWords returns the sentence that says why a run has no code.
func noCodeWords(r api.Run) string {
	switch {
	case r.ID == "":
		return ""
	case r.Source == api.FromSession:
		return lang.L("This run has no script: it is an operation of the session {{.Session}}.", with{"Session": r.Session})
	}
	return lang.L("This run has no script: it renders the scene in {{.File}}.", with{"File": api.NameInLine(r.Script)})
}
