//go:build !headless

package tray

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"blendtray/api"
	"blendtray/tray/textpane"
	"blendtray/tray/textpane/cells"
)

// maxResult is how much of a result is shown.
const maxResult = 1 << 20

// fact is something that is known about a run: a word for it, and the value. A fact without a word is
// a heading or a line of its own.
type fact struct{ word, value string }

// factsOf returns all that is known about a run, in groups with an empty line between them.
func factsOf(r api.Run) (groups [][]fact) {
	add := func(facts ...fact) {
		var known []fact
		for _, f := range facts {
			if f.value != "" {
				known = append(known, f)
			}
		}
		if len(known) > 0 {
			groups = append(groups, known)
		}
	}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	add(
		fact{lang.L("Run number"), r.ID},
		fact{lang.L("State"), stateOf(r)},
		fact{lang.L("Reason"), reasonFact(r)},
		fact{lang.L("Script"), api.NameInLine(r.Script)},
		fact{lang.L("Watched folder"), api.NameInLine(r.Folder)},
		fact{lang.L("Arguments"), quoted(r.Args)},
		fact{lang.L("SHA-256 of the code"), r.SHA256},
		fact{lang.L("Pinned"), yes(r.Pinned)},
	)
	add(
		fact{lang.L("Queued"), moment(&r.QueuedAt)},
		fact{lang.L("Started"), moment(r.StartedAt)},
		fact{lang.L("Ended"), moment(r.FinishedAt)},
		fact{lang.L("Waited"), waited(r)},
		fact{lang.L("Took"), took(r)},
		fact{lang.L("Time limit"), seconds(r.TimeLimitSeconds)},
	)
	add(
		fact{lang.L("Came from"), sourceWord(r.Source)},
		fact{lang.L("Asked for by"), r.Client},
		fact{lang.L("Asked for on"), r.Origin},
		fact{lang.L("Key"), r.Key},
		fact{lang.L("Repeats run"), r.RetryOf},
		fact{lang.L("Saved by run"), r.WrittenBy},
	)
	rendered, frames := api.Render{}, ""
	if r.Render != nil {
		rendered, frames = *r.Render, r.Render.String()
	}
	add(
		fact{"Blender", executedBy(r)},
		fact{lang.L("Name of the Blender"), nameOfBlender(r)},
		fact{lang.L("Process"), number(int64(r.PID))},
		fact{lang.L("Session"), r.Session},
		fact{lang.L("Scene"), api.NameInLine(r.Scene)},
		fact{lang.L("Isolation"), r.Isolation.String()},
		fact{lang.L("Renders"), frames},
		fact{lang.L("Render engine"), rendered.Engine},
		fact{lang.L("Render output"), api.NameInLine(rendered.Output)},
		fact{lang.L("Render format"), rendered.Format},
		fact{lang.L("Leftover processes"), leftover(r)},
		fact{lang.L("Memory limit"), size(r.Limits.MaxMemory)},
		fact{lang.L("Priority lower by"), number(int64(r.Limits.Nice))},
		fact{lang.L("Limit of processes"), number(int64(r.Limits.MaxProcesses))},
	)
	exit := ""
	if r.ExitCode != nil {
		exit = strconv.Itoa(*r.ExitCode)
	}
	add(
		fact{lang.L("Exit code"), exit},
		fact{lang.L("Printed"), size(r.OutputBytes)},
		fact{lang.L("Picture of the scene"), api.NameInLine(r.Preview)},
	)
	if e := r.Error; e != nil {
		add(
			fact{lang.L("Error"), e.Type},
			fact{lang.L("Line of the script"), number(int64(e.Line))},
			fact{lang.L("Message"), e.Message},
		)
		add(fact{"", strings.TrimRight(e.Traceback, "\n")})
	}
	if len(r.Outputs) > 0 {
		made := lang.L("Files that it made")
		for _, path := range r.Outputs {
			made += "\n" + api.NameInLine(path)
		}
		add(fact{"", made})
	}
	if result := resultWords(r.Result); result != "" {
		add(fact{"", lang.L("Result") + "\n" + result})
	}
	return groups
}

// factsText returns groups of facts as a text: the values below each other, and a space between groups.
func factsText(groups [][]fact) string {
	width := 0
	for _, group := range groups {
		for _, f := range group {
			width = max(width, columns(f.word))
		}
	}
	var out strings.Builder
	for i, group := range groups {
		if i > 0 {
			out.WriteByte('\n')
		}
		for _, f := range group {
			if f.word == "" {
				out.WriteString(visible(f.value) + "\n")
				continue
			}
			indent := "\n" + strings.Repeat(" ", width+2)
			value := strings.ReplaceAll(visible(f.value), "\n", indent)
			out.WriteString(f.word + strings.Repeat(" ", width+2-columns(f.word)) + value + "\n")
		}
	}
	return out.String()
}

// columns returns how many columns of a text pane a text takes.
func columns(text string) int {
	_, n := cells.Layout(text)
	return n
}

// reasonFact returns why a run waits or has ended, or "" where the words for its state say that.
func reasonFact(r api.Run) string {
	if r.AwaitsMachine() {
		return ""
	}
	return r.Reason
}

func yes(on bool) string {
	if !on {
		return ""
	}
	return lang.L("yes")
}

// moment returns a time as text, or "" for nil.
func moment(at *time.Time) string {
	if at == nil || at.IsZero() {
		return ""
	}
	return at.Local().Format("2006-01-02 15:04:05.000 -07:00")
}

func waited(r api.Run) string {
	if r.StartedAt == nil || r.StartedAt.Before(r.QueuedAt) {
		return ""
	}
	return clock(r.StartedAt.Sub(r.QueuedAt))
}

func took(r api.Run) string {
	if !r.HasTaken() {
		return ""
	}
	return fmt.Sprintf("%s (%s s)", clock(elapsed(r, time.Now())), decimal(math.Round(r.Seconds*1e4)/1e4, -1))
}

func seconds(s float64) string {
	if s <= 0 {
		return ""
	}
	return clock(time.Duration(s * float64(time.Second)))
}

// size returns a number of bytes as text, or "" for none.
func size(n int64) string {
	if n <= 0 {
		return ""
	}
	return bytesText(n)
}

func leftover(r api.Run) string {
	if r.Leftover == api.LeftoverAuto {
		return ""
	}
	if r.Leftover == api.LeftoverRun {
		return lang.L("end with the run")
	}
	return lang.L("end with Blender")
}

// executedBy returns which Blender executed a run, as far as that is known.
func executedBy(r api.Run) string {
	if r.OnFarm() {
		return beside(r.BlenderVersion, lang.L("on a machine of the farm"))
	}
	return r.ExecutedBy()
}

// nameOfBlender returns the name of the Blender that the run asks for. The machines of the farm have none.
func nameOfBlender(r api.Run) string {
	if asked, farm := api.FarmAsks(r.Blender); farm {
		return asked
	}
	return r.Blender
}

// sourceWord returns in words where a run came from. What is not known is as the engine says it.
func sourceWord(from api.Source) string {
	switch from {
	case api.FromFolder:
		return lang.L("a save in a watched folder")
	case api.FromCommand:
		return lang.L("a command or another program")
	case api.FromRetry:
		return lang.L("another run, which it repeats")
	case api.FromSession:
		return lang.L("an operation of a session")
	case api.FromModule:
		return lang.L("a change of a module that the script imports")
	}
	return string(from)
}

// quoted returns arguments as a person would write them, each in quotes where it has to be.
func quoted(args []string) string {
	all := make([]string, len(args))
	for i, arg := range args {
		if all[i] = arg; arg == "" || strings.ContainsAny(arg, " \t\n\"'") {
			all[i] = strconv.Quote(arg)
		}
	}
	return strings.Join(all, " ")
}

// resultWords returns a result as JSON in lines, or "" where there is none.
func resultWords(result json.RawMessage) string {
	if len(result) == 0 || string(result) == "null" {
		return ""
	}
	if len(result) > maxResult {
		return strings.ToValidUTF8(string(result[:maxResult]), "") + "\n" + lang.L("[… the rest of {{.Size}} is not shown …]", with{"Size": size(int64(len(result)))})
	}
	var out bytes.Buffer
	if json.Indent(&out, result, "", "  ") != nil {
		return string(result)
	}
	return out.String()
}

// carriage shows carriage returns, at which a pane would break or begin a line.
var carriage = strings.NewReplacer("\r\n", "\n", "\r", "␍")

// factsView is the tab Details of a run: all that is known about the run, as a text that can be copied.
type factsView struct {
	window  *window
	content fyne.CanvasObject
	view    *outputView
	run     string // the id of the run that is shown, or ""
	text    string
	words   []int // how many bytes of each line are the word for a fact
}

func newFactsView(w *window) *factsView {
	v := &factsView{window: w}
	v.view = newTextView(w, lang.L("Find in the details"), textpane.Options{
		Opens: opensLine,
		Open:  func(text string) { openLine(w, text) },
		Spans: func(line int, _ string) []textpane.Span {
			if line < 0 || line >= len(v.words) || v.words[line] == 0 {
				return nil
			}
			return []textpane.Span{{End: v.words[line], Color: faint{}}}
		},
	})
	v.view.pane.SetWrap(true)
	toggle(v.view.wrap)
	v.content = v.view.content
	return v
}

// show shows what is known about a run.
func (v *factsView) show(r api.Run) {
	groups := factsOf(r)
	for _, group := range groups {
		for i := range group {
			group[i].value = carriage.Replace(group[i].value)
		}
	}
	text := factsText(groups)
	if r.ID == v.run && text == v.text {
		return
	}
	other := r.ID != v.run
	v.run, v.text, v.words = r.ID, text, nil
	for i, group := range groups {
		if i > 0 {
			v.words = append(v.words, 0)
		}
		for _, f := range group {
			v.words = append(v.words, len(f.word))
			for range strings.Count(f.value, "\n") {
				v.words = append(v.words, 0)
			}
		}
	}
	top := v.view.pane.Top()
	v.view.pane.SetText(text)
	v.window.shell.do(func() {
		if other {
			top = 0
		}
		v.view.pane.ShowTop(top)
	})
}

// drop forgets the run.
func (v *factsView) drop() {
	if v.run == "" {
		return
	}
	v.run, v.text, v.words = "", "", nil
	v.view.pane.Clear()
}

// openFile opens a file with the desktop's program for it: a script in the person's editor, since the
// desktop may run it.
func openFile(w *window, path string) {
	if strings.EqualFold(filepath.Ext(path), ".py") {
		w.edit(path, 0)
		return
	}
	w.shell.try("open it", func(context.Context) error { return w.shell.cfg.Host.Open(path, 0) })
}

// pathIn returns the path at the end of a line of the details, if there is one.
func pathIn(text string) (path string, ok bool) {
	path = strings.TrimSpace(text)
	if i := strings.LastIndex(path, "  "); i >= 0 {
		path = path[i+2:]
	}
	return path, filepath.IsAbs(path)
}

// opensLine reports whether a click on a line of the details opens a file, and openLine opens the file.
func opensLine(text string) bool {
	_, _, traced := namesPlace(text)
	_, isPath := pathIn(text)
	return traced || isPath
}

func openLine(w *window, text string) {
	if path, line, ok := namesPlace(text); ok {
		w.edit(path, line)
	} else if path, ok := pathIn(text); ok {
		openFile(w, path)
	}
}
