//go:build !headless

package tray

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"blendtray/api"
	"blendtray/tray/syntax"
)

func TestCodeIsReadAsAPaneShowsIt(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxCodeRow)
	for _, c := range []struct {
		name, source, text string
		lines              int
		notice             string
	}{
		{"nothing", "", "\n", 1, ""},
		{"lines", "a = 1\nb = 2\n", "a = 1\nb = 2\n", 2, ""},
		{"lines of Windows, and a mark", "\ufeffa\r\nb\rc", "a\nb\nc\n", 3, ""},
		{"what a pane would obey", "a\x1b[31m\x00\f\t\u0085\x7f", "a␛[31m␀␌\t\ufffd␡\n", 1, ""},
		{"no UTF-8", "# caf\xe9", "# caf\ufffd\n", 1, "not UTF-8"},
		{"signs", "名字 = '🐒'", "名字 = '🐒'\n", 1, ""},
		{"a long line", "x\n" + long + "\ny", "x\n" + long[:maxCodeRow] + "\n" + long[maxCodeRow:] + "\ny\n", 3, ""},
		{"long code", strings.Repeat("x = 1\n", maxCodeColored/6+1), strings.Repeat("x = 1\n", maxCodeColored/6+1), maxCodeColored/6 + 1, "without colours"},
		{"too long code", strings.Repeat("x = 1\n", maxCodeShown/6+1), "", 0, "4.2 MB"},
	} {
		got := readCode([]byte(c.source))
		if got.text != c.text || got.lines != c.lines || !strings.Contains(got.notice, c.notice) || (got.notice == "") != (c.notice == "") {
			t.Errorf("%s: %d lines, %q, and it says %q", c.name, got.lines, got.text[:min(80, len(got.text))], got.notice)
		}
		if rows := strings.Count(got.text, "\n"); rows != len(got.rows) || got.tooLong != (c.text == "") {
			t.Errorf("%s: %d lines of the pane and %d rows", c.name, rows, len(got.rows))
		}
	}
	got := readCode([]byte("x\n'" + long + "'\ny = 1"))
	if got.rowOf(1) != 0 || got.rowOf(2) != 1 || got.rowOf(3) != 4 || got.rowOf(0) != -1 || got.rowOf(4) != -1 {
		t.Errorf("the lines are in the rows %d, %d and %d of %d", got.rowOf(1), got.rowOf(2), got.rowOf(3), len(got.rows))
	}
	for i, row := range got.rows[1:4] {
		if len(row.spans) == 0 || row.spans[0].Kind != syntax.String || row.spans[0].Start != 0 {
			t.Errorf("row %d of a long text has the spans %+v", i+1, row.spans)
		}
	}
}

func TestTheColoursOfCodeCanBeReadInBothThemes(t *testing.T) {
	for i, back := range []uint32{0xf5f5f5, 0x202023} { // of the panes
		for kind, pair := range codeColors {
			if kind == 0 {
				continue
			}
			if c := contrast(pair[i], rgb(back)); c < 4.5 {
				t.Errorf("kind %d in theme %d has the contrast %.1f", kind, i, c)
			}
		}
	}
}

func TestTheCodeIsFetchedWhenItIsLookedAt(t *testing.T) {
	long := failed("/srv/long.py")
	long.Error.Line = 600
	o := openWindow(t, long, failed("/srv/short.py"))
	o.Resize(fyne.NewSize(900, 600))
	var lines []string
	for n := range 1000 {
		lines = append(lines, fmt.Sprintf("x%d = %d", n+1, n+1))
	}
	o.backend.codes = map[string]string{"1": strings.Join(lines, "\n"), "2": "import bpy\n\n\nbpy.data['x']\n"}
	d := o.runs.detail
	o.until("the newest is shown", func() bool { return d.run.ID == "2" && strings.Contains(d.output.pane.Text(), "KeyError") })
	asked := func() int {
		o.backend.mu.Lock()
		defer o.backend.mu.Unlock()
		return o.backend.codesAsked
	}
	if n := asked(); n != 0 {
		t.Errorf("the code was asked for %d times although nobody looks at it", n)
	}
	d.goTo(1)
	pane := d.code.view.pane
	o.until("the code is shown", func() bool { return strings.Contains(pane.Text(), "bpy.data['x']") })
	if d.code.remark.content.Visible() {
		t.Errorf("it says %q", d.code.remark.words.Text)
	}
	if got := d.code.spans(0); len(got) != 1 || got[0].End != len("import") {
		t.Errorf("the first line has the colours %+v", got)
	}
	o.runs.list.Select(1)
	if pane.Text() != "" {
		t.Error("the code of another run is kept")
	}
	o.until("the long code is shown, at the line that failed", func() bool {
		o.Canvas().Capture()
		return strings.Contains(pane.Text(), "x1000") && pane.Top() > 550 && pane.Top() <= 599
	})
	d.showPane("output")
	d.showPane("code")
	d.heard(api.Event{Kind: api.KindRun, ID: "1", Run: &d.run})
	if n := asked(); n != 2 {
		t.Errorf("the code was asked for %d times", n)
	}
	pane.ShowTop(0)
	d.act(jumpToError)
	o.Canvas().Capture()
	if pane.Top() < 550 {
		t.Errorf("the error is jumped to, and line %d is on top", pane.Top())
	}
}

func TestCodeThatIsTooLongIsOffered(t *testing.T) {
	o := openWindow(t, failed("/srv/my *.py"))
	code := strings.Repeat("x = 1\n", 16<<20/6)
	o.backend.codes = map[string]string{"1": code}
	o.until("the run is shown", func() bool { return o.runs.detail.run.ID == "1" })
	o.runs.detail.goTo(1)
	v := o.runs.detail.code
	o.until("the file is offered", func() bool { return v.remark.button.Visible() && strings.Contains(v.remark.words.Text, "17 MB") })
	v.remark.button.OnTapped()
	var opened string
	o.until("it is opened at the line that failed", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		if len(o.host.opened) == 1 {
			opened = o.host.opened[0]
		}
		return strings.HasSuffix(opened, ".py:4")
	})
	path := strings.TrimSuffix(opened, ":4")
	defer os.Remove(path)
	if got, err := os.ReadFile(path); err != nil || string(got) != code {
		t.Errorf("%s has %d bytes: %v", path, len(got), err)
	}
}

func TestWhyThereIsNoCodeIsTold(t *testing.T) {
	renders := succeeded("/srv/a.blend")
	renders.Render, renders.SHA256 = &api.Render{}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	session := succeeded("<undo>")
	session.Source, session.Session = api.FromSession, "chair"
	o := openWindow(t, renders, session, succeeded("/srv/gone.py"))
	d := o.runs.detail
	d.goTo(1)
	for i, want := range []string{"The code can't be read", "an operation of the session chair", "renders the scene in /srv/a.blend"} {
		o.until("they are listed", func() bool { return len(o.runs.activity.runs) == 3 })
		o.runs.list.Select(i)
		for pane, words := range map[string]func() string{"code": func() string { return d.code.remark.words.Text }, "changes": func() string { return d.changes.remark.words.Text }} {
			d.showPane(pane)
			if i > 0 || pane == "code" {
				o.until(pane+" says "+want, func() bool { return strings.Contains(words(), want) })
			}
		}
	}
}

func TestTheErrorIsFoundInTheOutput(t *testing.T) {
	t.Parallel()
	lines := linesOfTest{
		"hello", "Traceback (most recent call last):", `  File "/srv/a.py", line 4, in <module>`, "    f()",
		`  File "/srv/help.py", line 2, in f`, "KeyError", "", "after",
	}
	r := failed("/srv/a.py")
	if got := lineOfError(lines, r); got != 2 {
		t.Errorf("it is line %d", got)
	}
	r.Error.Line = 0
	if got := lineOfError(lines, r); got != 1 {
		t.Errorf("without a line of the script it is line %d", got)
	}
	if got := lineOfError(lines[:1], r); got != -1 {
		t.Errorf("in an output without a traceback it is line %d", got)
	}
}

type linesOfTest []string

func (l linesOfTest) Lines() (first, end int) { return 0, len(l) }
func (l linesOfTest) Line(n int) string       { return l[n] }

func TestAComparisonIsReadIntoRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		diff, text string
		rows       []diffRow
	}{
		{"", "", nil},
		{
			"--- a (run 1)\n+++ a (run 2)\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n@@ -9 +9,2 @@ def f():\n--- x\n+++ y\n+\n",
			" one\n-two\n+zwei\n three\n⋯\n--- x\n+++ y\n+\n",
			[]diffRow{{1, 1, diffSame}, {2, 0, diffRemoved}, {0, 2, diffAdded}, {3, 3, diffSame}, {0, 0, diffGap}, {9, 0, diffRemoved}, {0, 9, diffAdded}, {0, 10, diffAdded}},
		},
		{"--- a\n+++ b\n@@ -0,0 +1 @@\n+new\r\n", "+new\n", []diffRow{{0, 1, diffAdded}}},
		{
			"--- a\n+++ b\n@@ -5 +5 @@\n-\x1bx\n\\ No newline at end of file\n+y\n",
			"⋯\n-␛x\nThe last line has no line feed at its end.\n+y\n",
			[]diffRow{{0, 0, diffGap}, {5, 0, diffRemoved}, {0, 0, diffGap}, {0, 5, diffAdded}},
		},
	} {
		rows, text := readDiff(c.diff)
		if text != c.text || !slices.Equal(rows, c.rows) {
			t.Errorf("%q is read as %q and %v", c.diff, text, rows)
		}
	}
	if rows, text := readDiff("--- a\n+++ b\n@@ -1 +1 @@\n-" + strings.Repeat("é", maxCodeRow) + "\n"); len(rows) != 1 || len(text) > maxCodeRow+8 {
		t.Errorf("a long line has %d rows", len(rows))
	}
}

func TestTheChangesOfARunAreShown(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"), succeeded("/srv/a.py"), succeeded("/srv/a.py"), succeeded("/srv/a.py"))
	o.backend.changes = map[string]api.Changes{
		"1": {Run: "1", Added: 1, Diff: "--- a\n+++ b\n@@ -0,0 +1 @@\n+new\n"},
		"2": {Run: "2", Before: "1", Same: true},
		"3": {Run: "3", Before: "2", NoText: true},
		"4": {Run: "4", Before: "3", Added: 1, Removed: 1, Diff: "--- a\n+++ b\n@@ -10,2 +10,2 @@\n x\n-y\n+z\n"},
	}
	d := o.runs.detail
	d.goTo(2)
	o.until("they are listed", func() bool { return len(o.runs.activity.runs) == 4 })
	v := d.changes
	for _, want := range []struct{ id, words, text string }{
		{"4", "What has changed since run 3 of this script. Lines added: 1, removed: 1.", "-y"},
		{"3", "can't be shown", ""},
		{"2", "Nothing has changed since run 1", ""},
		{"1", "no earlier run", "+new"},
	} {
		o.runs.list.Select(o.runs.activity.index(want.id))
		o.until("the changes of run "+want.id, func() bool {
			return strings.Contains(v.remark.words.Text, want.words) && strings.Contains(v.view.pane.Text(), want.text) && (want.text != "" || v.view.pane.Text() == "")
		})
		if want.id == "4" {
			if v.label(2) != "11   " || v.label(3) != "   11" || v.label(0) != "" || v.back(2) != tint(theme.ColorNameError) || v.back(1) != nil {
				t.Errorf("beside the rows stands %q and %q, and the ground is %v", v.label(2), v.label(3), v.back(2))
			}
		}
	}
}

func TestTheHeadSaysWhatARunWaitsFor(t *testing.T) {
	o := openWindow(t, api.Run{Script: "/srv/a.py", Folder: "/srv", State: api.Queued, Reason: "run 7 of the same script is running"})
	d := o.runs.detail
	o.until("the run is shown", func() bool { return d.run.ID == "1" })
	if !d.cause.Visible() || d.cause.Text != "run 7 of the same script is running" || d.where.Text != "/srv/a.py · in the folder srv" {
		t.Errorf("it says %q and %q", d.where.Text, d.cause.Text)
	}
	if !d.cancel.Visible() || d.again.Visible() {
		t.Error("a run that waits can be run again, and not be cancelled")
	}
	o.backend.ends("1", api.Succeeded)
	o.until("it has ended", func() bool { return !d.cause.Visible() && d.again.Visible() && !d.cancel.Visible() })
}

func TestACarriageReturnInADiffStaysInItsRow(t *testing.T) {
	t.Parallel()
	rows, text := readDiff("--- a\n+++ b\n@@ -1 +1 @@\n-a\rb\n+c\n")
	if len(rows) != 2 || text != "-a␍b\n+c\n" {
		t.Errorf("%d rows of %q", len(rows), text)
	}
}

func TestTheCodeOfAScriptWithALongNameIsWritten(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path, err := writeCode(api.Run{ID: "7", Script: filepath.Join(t.TempDir(), strings.Repeat("é", 120)+".py")}, []byte("pass\n"))
	if err != nil || !strings.HasPrefix(filepath.Base(path), "éé") {
		t.Errorf("%q, %v", path, err)
	}
	_ = os.Remove(path)
}
