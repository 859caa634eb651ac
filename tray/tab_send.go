//go:build !headless

package tray

import (
	"fmt"
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// sendTab is the tab Send: a small console.
type sendTab struct {
	window  *window
	content fyne.CanvasObject
	code    *codeEntry
	output  *outputView
	run     *widget.Button
	busy    bool
	history history
}

// codeEntry is the field for a script: Ctrl+Enter runs it, and the arrow keys go through the
// scripts that were sent before, where they would leave the text.
type codeEntry struct {
	entry
	send     func()
	previous func(step int)
}

func (e *codeEntry) TypedShortcut(s fyne.Shortcut) {
	if c, ok := s.(*desktop.CustomShortcut); ok && c.Modifier == fyne.KeyModifierShortcutDefault &&
		(c.KeyName == fyne.KeyReturn || c.KeyName == fyne.KeyEnter) {
		e.send()
		return
	}
	e.entry.TypedShortcut(s)
}

func (e *codeEntry) TypedKey(key *fyne.KeyEvent) {
	switch {
	case key.Name == fyne.KeyUp && e.CursorRow == 0:
		e.previous(-1)
	case key.Name == fyne.KeyDown && e.CursorRow == strings.Count(e.Text, "\n"):
		e.previous(1)
	default:
		e.entry.TypedKey(key)
	}
}

func newSendTab(w *window) *sendTab {
	t := &sendTab{window: w}
	t.code = &codeEntry{entry: entry{typed: w.typed}, send: t.send}
	t.code.previous = func(step int) {
		if text, ok := t.history.step(step, t.code.Text); ok {
			t.code.SetText(text)
		}
	}
	t.code.MultiLine = true
	t.code.TextStyle.Monospace = true
	t.code.SetPlaceHolder("import bpy\nprint([o.name for o in bpy.data.objects])")
	t.code.ExtendBaseWidget(t.code)
	t.output = newOutputView(w)
	t.run = widget.NewButtonWithIcon("Run", theme.MediaPlayIcon(), t.send)
	t.run.Importance = widget.HighImportance
	hint := widget.NewLabel("Ctrl+Enter runs the script in the scene that the last one left. Up and Down bring back earlier scripts.")
	hint.Truncation = fyne.TextTruncateEllipsis
	split := container.NewVSplit(
		container.NewBorder(nil, container.NewBorder(nil, nil, nil, t.run, hint), nil, nil, t.code),
		t.output.content,
	)
	split.SetOffset(0.45)
	t.content = split
	return t
}

// edit puts code into the field, to be changed and run. What was typed there before comes back with the
// Up key.
func (t *sendTab) edit(code string) {
	if strings.TrimSpace(t.code.Text) != "" {
		t.history.add(t.code.Text)
	}
	t.code.SetText(code)
}

func (t *sendTab) show(s State) { enable(t.run, s.Link == Attached && !t.busy) }

// send runs the typed script, and shows its output and how it ended.
func (t *sendTab) send() {
	code := t.code.Text
	if strings.TrimSpace(code) == "" || t.busy {
		return
	}
	t.busy = true
	t.run.Disable()
	t.history.add(code)
	pane := t.output.pane
	pane.Clear()
	t.window.shell.busy++ // a window that is closed now ends when the engine has the code
	go func() {
		taken := sync.OnceFunc(func() { t.window.shell.do(t.window.shell.rested) })
		defer taken()
		open := false // the last line has no end
		sub := api.Submission{Code: []byte(code), Name: "<window>", Scene: "keep", Client: "window"}
		for ev, err := range t.window.shell.cfg.Client.SubmitAndFollow(t.window.shell.ctx, sub) {
			taken()
			text := ""
			switch {
			case err != nil:
				text = ownLine(open, err.Error()+"\n")
			case ev.Kind == api.KindOutput:
				if text = ev.Text; ev.Dropped > 0 {
					text = ownLine(open, fmt.Sprintf("[… %d bytes of output are missing …]\n", ev.Dropped)) + text
				}
			case ev.Kind == api.KindRun && ev.Run != nil && ev.Run.State.Final():
				text = ownLine(open, ended(*ev.Run))
			}
			if text != "" {
				pane.Append([]byte(text))
				open = !strings.HasSuffix(text, "\n")
			}
		}
		t.window.shell.do(func() {
			t.busy = false
			t.run.Enable()
		})
	}()
}

// ownLine returns a text that is to begin a line, after a line that may be open.
func ownLine(open bool, text string) string {
	if open {
		return "\n" + text
	}
	return text
}

// ended returns what the console says at the end of a run.
func ended(r api.Run) string {
	switch {
	case r.Error != nil && r.Error.Traceback != "":
		return r.Error.Traceback
	case r.State != api.Succeeded:
		return "[" + stateWord(r.State) + "] " + why(r) + "\n"
	case len(r.Result) > 0 && string(r.Result) != "null":
		return "result = " + string(r.Result) + "\n"
	default:
		return "[succeeded]\n"
	}
}
