//go:build !headless

package tray

import (
	"context"
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"

	"blendtray/api"
	"blendtray/tray/textpane"
)

// diffKind is what a row of a comparison shows.
type diffKind uint8

const (
	diffSame diffKind = iota
	diffAdded
	diffRemoved
	diffGap // lines that are the same in both are left out here
)

// diffRow is a line of the pane with the changes. before and now are the numbers of the line in both
// codes, 0 where the line is not in the code.
type diffRow struct {
	before, now int
	kind        diffKind
}

// readDiff returns the rows of a unified diff, and the text of the pane, which has a line for each row.
func readDiff(diff string) (rows []diffRow, text string) {
	var out strings.Builder
	before, now, inHunk := 0, 0, false
	add := func(row diffRow, line string) {
		line = visible(strings.ReplaceAll(line, "\r", "␍")) // the row of a line must stay one row
		if end := rowEnd(line); end < len(line) {
			line = line[:end] + "…" // a longer line would be several lines of the pane
		}
		rows = append(rows, row)
		out.WriteString(line)
		out.WriteByte('\n')
	}
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if b, n, ok := hunkOf(line); ok {
			if before, now = b, n; len(rows) > 0 || before > 1 {
				add(diffRow{kind: diffGap}, "⋯")
			}
			inHunk = true
			continue
		}
		if !inHunk || line == "" {
			continue // the names of the two files
		}
		switch line[0] {
		case '+':
			add(diffRow{now: now, kind: diffAdded}, line)
			now++
		case '-':
			add(diffRow{before: before, kind: diffRemoved}, line)
			before++
		case ' ':
			add(diffRow{before: before, now: now}, line)
			before, now = before+1, now+1
		case '\\':
			add(diffRow{kind: diffGap}, lang.L("The last line has no line feed at its end."))
		}
	}
	return rows, out.String()
}

// hunkOf returns the numbers of the first lines of a hunk, by its header. ok is false for any other
// line.
func hunkOf(line string) (before, now int, ok bool) {
	rest, ok := strings.CutPrefix(line, "@@ -")
	if !ok {
		return 0, 0, false
	}
	var err error
	first, second, ok := strings.Cut(rest, " +")
	if !ok {
		return 0, 0, false
	}
	number := func(text string) (n int) {
		text, _, _ = strings.Cut(text, " ")
		text, _, _ = strings.Cut(text, ",")
		if err == nil {
			n, err = strconv.Atoi(text)
		}
		return n
	}
	before, now = number(first), number(second)
	return before, now, err == nil
}

// changesWords returns the sentence above the changes of a run.
func changesWords(c api.Changes) string {
	switch {
	case c.Before == "":
		return lang.L("The history has no earlier run of this script, so all of the code is new.")
	case c.Same:
		return lang.L("Nothing has changed since run {{.Run}} of this script: the code is the same.", with{"Run": c.Before})
	case c.NoText:
		return lang.L("The code is not the same as in run {{.Run}}. What has changed can't be shown: one of the two is not UTF-8, or both are too long.", with{"Run": c.Before})
	}
	return lang.L("What has changed since run {{.Run}} of this script. Lines added: {{.Added}}, removed: {{.Removed}}.",
		with{"Run": c.Before, "Added": c.Added, "Removed": c.Removed})
}

// tint is a colour of the theme that is set when it is drawn, so faint that text can be read on it.
type tint fyne.ThemeColorName

func (t tint) RGBA() (r, g, b, a uint32) {
	c := color.NRGBAModel.Convert(theme.Color(fyne.ThemeColorName(t))).(color.NRGBA)
	c.A = 0x30
	return c.RGBA()
}

// changesView is the tab Changes of a run: how its code differs from the code of the run before.
type changesView struct {
	window  *window
	content fyne.CanvasObject
	view    *outputView
	remark  *remark
	run     string // the id of the run that is shown or was asked for, or ""
	rows    []diffRow
	digits  int // of the largest number of a line
}

func newChangesView(w *window) *changesView {
	v := &changesView{window: w, digits: 1}
	v.view = newTextView(w, lang.L("Find in the changes"), textpane.Options{
		Labels:     func(row int) string { return v.label(row) },
		LabelWidth: func() int { return 2*v.digits + 1 },
		Back:       func(row int) color.Color { return v.back(row) },
		Spans:      func(row int, text string) []textpane.Span { return v.spans(row, text) },
	})
	v.remark, v.content = newRemark("", nil, v.view.content)
	return v
}

// label returns the numbers of a row in both codes.
func (v *changesView) label(row int) string {
	if row < 0 || row >= len(v.rows) || v.rows[row].kind == diffGap {
		return ""
	}
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%*s %*s", v.digits, number(v.rows[row].before), v.digits, number(v.rows[row].now))
}

func (v *changesView) back(row int) color.Color {
	if row >= 0 && row < len(v.rows) {
		switch v.rows[row].kind {
		case diffAdded:
			return tint(theme.ColorNameSuccess)
		case diffRemoved:
			return tint(theme.ColorNameError)
		}
	}
	return nil
}

// faint is the colour of hints, in the theme that is set when it is drawn.
type faint struct{}

func (faint) RGBA() (r, g, b, a uint32) { return theme.Color(theme.ColorNamePlaceHolder).RGBA() }

func (v *changesView) spans(row int, text string) []textpane.Span {
	if row >= 0 && row < len(v.rows) && v.rows[row].kind == diffGap {
		return []textpane.Span{{Start: 0, End: len(text), Color: faint{}}}
	}
	return nil
}

// show shows the changes of a run. It asks the engine, unless it has the changes already.
func (v *changesView) show(r api.Run) {
	if r.ID == v.run {
		return
	}
	v.drop()
	v.run = r.ID
	if !hasCode(r) {
		v.remark.say(noCodeWords(r), false)
		return
	}
	v.remark.say(lang.L("Asking the engine for the changes…"), false)
	type answer struct {
		words, text string
		rows        []diffRow
	}
	fetch(v.window, func(ctx context.Context) (answer, error) {
		c, err := v.window.shell.cfg.Client.Changes(ctx, r.ID)
		if err != nil {
			return answer{}, err
		}
		a := answer{words: changesWords(c)}
		a.rows, a.text = readDiff(c.Diff)
		return a, nil
	}, func(a answer, err error) {
		if v.run != r.ID {
			return // another run is shown by now
		}
		if err != nil {
			v.remark.say(lang.L("The changes can't be read: {{.Why}}", with{"Why": revealed(err.Error())}), false)
			return
		}
		v.remark.say(a.words, false)
		v.rows, v.digits = a.rows, 1
		for _, row := range a.rows {
			v.digits = max(v.digits, len(strconv.Itoa(max(row.before, row.now))))
		}
		v.view.pane.SetText(a.text)
		v.window.shell.do(func() {
			if v.run == r.ID {
				v.view.pane.ShowLine(0)
			}
		})
	})
}

// drop forgets the changes.
func (v *changesView) drop() {
	if v.run == "" {
		return
	}
	v.run, v.rows, v.digits = "", nil, 1
	v.view.pane.Clear()
	v.remark.say("", false)
}
