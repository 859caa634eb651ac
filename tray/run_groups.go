//go:build !headless

package tray

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

const (
	// maxScripts is how many scripts are listed, the engine's most, and stripRuns how many runs of each.
	maxScripts = 1000
	stripRuns  = 10
	// scriptsEvery is how often the scripts are asked for while runs come and end.
	scriptsEvery = time.Second
)

// scriptList is the list of scripts in the tab Activity: each script with the verdicts of its last
// runs.
type scriptList struct {
	tab     *runsTab
	list    *scriptRows
	scripts []api.ScriptRuns
	twice   map[string]bool // the names that several scripts have
	there   bool            // the engine has answered
	trouble string          // why the scripts did not come, or ""

	asked   int // counts requests, so that the answer to an older request is dropped
	asking  bool
	stale   bool // what was asked for last is not true any more
	waiting bool // a request will follow soon
}

// scriptRows is a List in which Enter opens the script that the arrow keys have gone to.
type scriptRows struct{ widget.List }

func (l *scriptRows) TypedKey(key *fyne.KeyEvent) {
	switch key.Name {
	case fyne.KeyReturn, fyne.KeyEnter, fyne.KeyRight:
		key = &fyne.KeyEvent{Name: fyne.KeySpace}
	}
	l.List.TypedKey(key)
}

func newScriptList(t *runsTab) *scriptList {
	l := &scriptList{tab: t, list: &scriptRows{}}
	l.list.Length = func() int { return len(l.scripts) }
	l.list.CreateItem, l.list.UpdateItem = newScriptRow, l.fill
	l.list.ExtendBaseWidget(l.list)
	l.list.OnSelected = func(i widget.ListItemID) {
		l.list.UnselectAll()
		if i < len(l.scripts) {
			t.showScript(l.scripts[i].Script)
		}
	}
	return l
}

// newScriptRow returns an empty line of the list: the name, the verdicts, and when the last run was.
func newScriptRow() fyne.CanvasObject {
	name := widget.NewLabel("")
	name.Truncation = fyne.TextTruncateEllipsis
	strip := container.New(stripLayout{})
	for range stripRuns {
		sign := canvas.NewText("", theme.Color(theme.ColorNameForeground))
		sign.TextStyle.Monospace = true
		strip.Add(sign)
	}
	about := canvas.NewText("", theme.Color(theme.ColorNamePlaceHolder))
	about.TextSize = theme.CaptionTextSize()
	return container.NewBorder(nil, nil, nil, container.NewHBox(strip, container.NewPadded(about)), name)
}

// stripLayout puts signs beside each other in cells of one width, at the right.
type stripLayout struct{}

// cell returns the size of a sign.
func (stripLayout) cell() fyne.Size {
	size := fyne.MeasureText("✓", theme.TextSize(), fyne.TextStyle{Monospace: true})
	return fyne.NewSize(size.Width+3, size.Height)
}

func (s stripLayout) Layout(signs []fyne.CanvasObject, size fyne.Size) {
	cell := s.cell()
	for i, sign := range signs {
		sign.Resize(cell)
		sign.Move(fyne.NewPos(size.Width-cell.Width*float32(len(signs)-i), (size.Height-cell.Height)/2))
	}
}

func (s stripLayout) MinSize(signs []fyne.CanvasObject) fyne.Size {
	cell := s.cell()
	return fyne.NewSize(cell.Width*float32(len(signs)), cell.Height)
}

// fill shows a script in a line of the list.
func (l *scriptList) fill(i widget.ListItemID, row fyne.CanvasObject) {
	if i >= len(l.scripts) {
		return
	}
	s := l.scripts[i]
	parts := row.(*fyne.Container).Objects
	parts[0].(*widget.Label).SetText(l.nameOf(s))
	right := parts[1].(*fyne.Container).Objects
	signs := right[0].(*fyne.Container).Objects
	for n, o := range signs {
		sign := o.(*canvas.Text)
		sign.Text = ""
		if at := len(signs) - 1 - n; at < len(s.Last) { // the newest is the last
			state := s.Last[at].Shown()
			sign.Text, sign.Color = verdictSign(state), theme.Color(colorOf(state))
		}
		sign.Refresh()
	}
	about := right[1].(*fyne.Container).Objects[0].(*canvas.Text)
	about.Color = theme.Color(theme.ColorNamePlaceHolder)
	about.Text = ""
	if len(s.Last) > 0 {
		about.Text = when(s.Last[0].QueuedAt, time.Now())
	}
	about.Refresh()
}

// treeName matches the name of a folder in which a job of the farm runs: a hash of what is in the folder.
var treeName = regexp.MustCompile("^[0-9a-f]{64}$")

// nameOf returns the name of a script to show, with its folder where several scripts have the name, and
// with the number of its runs.
func (l *scriptList) nameOf(s api.ScriptRuns) string {
	name := nameOf(api.Run{Script: s.Script})
	if l.twice[filepath.Base(s.Script)] && filepath.IsAbs(s.Script) {
		folder := filepath.Base(filepath.Dir(s.Script))
		if treeName.MatchString(folder) {
			folder = folder[:8] + "…"
		}
		name = nameInLine(folder+string(filepath.Separator)+filepath.Base(s.Script), 40)
	}
	return fmt.Sprintf("%s (%d)", name, s.Runs)
}

// reload asks for the scripts that a filter chooses, and shows none until they are there.
func (l *scriptList) reload() {
	l.scripts, l.there, l.trouble = nil, false, ""
	l.asking = false // what was asked for does not matter any more
	l.list.ScrollToTop()
	l.ask()
}

// outdated asks for the scripts again, soon.
func (l *scriptList) outdated() {
	l.stale = true
	if l.asking || l.waiting {
		return
	}
	l.waiting = true
	time.AfterFunc(scriptsEvery, func() {
		l.tab.window.shell.do(func() {
			l.waiting = false
			if l.stale && l.tab.showsScripts() {
				l.ask()
			}
		})
	})
}

func (l *scriptList) ask() {
	if l.asking {
		l.stale = true
		return
	}
	l.asked++
	l.asking, l.stale = true, false
	asked, filter := l.asked, l.tab.filter.query(time.Now())
	filter.Limit = maxScripts
	w := l.tab.window
	fetch(w, func(ctx context.Context) ([]api.ScriptRuns, error) {
		return w.shell.cfg.Client.Scripts(ctx, filter, stripRuns)
	}, func(scripts []api.ScriptRuns, err error) {
		if asked != l.asked {
			return
		}
		l.asking = false
		if err != nil {
			l.trouble = err.Error()
		} else {
			l.show(scripts)
		}
		l.tab.refresh()
		if l.stale {
			l.outdated()
		}
	})
}

// show shows scripts. The lines in sight stay where they are.
func (l *scriptList) show(scripts []api.ScriptRuns) {
	height, offset := heightIn(&l.list.List, newScriptRow()), l.list.GetScrollOffset()
	first := ""
	if line := int(offset / height); offset > 0 && line < len(l.scripts) {
		first = l.scripts[line].Script
	}
	l.scripts, l.there, l.trouble = scripts, true, ""
	l.twice = map[string]bool{}
	seen := map[string]bool{}
	at := -1
	for i, s := range scripts {
		name := filepath.Base(s.Script)
		l.twice[name] = l.twice[name] || seen[name]
		seen[name] = true
		if s.Script == first {
			at = i
		}
	}
	if at >= 0 {
		l.list.ScrollToOffset(float32(at)*height + offset - float32(int(offset/height))*height)
	}
	l.list.Refresh()
}

// emptyWords returns the sentence that says why the list is empty, or "" when it is not.
func (l *scriptList) emptyWords() string {
	switch {
	case len(l.scripts) > 0:
		return ""
	case l.trouble != "":
		return lang.L("The scripts can't be listed: {{.Why}}", with{"Why": l.trouble})
	case !l.there:
		return lang.L("Asking the engine for its scripts…")
	}
	return nothingWords(l.tab.filter)
}
