//go:build !headless

package tray

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// consoleTab is the tab Console: code runs in a session, and the transcript has what ran and what came
// of it. Its methods must be called on Fyne's goroutine, except heard, and those of its transcript.
type consoleTab struct {
	window  *window
	content *fyne.Container

	session *widget.Select
	state   *widget.Label
	code    *codeEntry
	list    *completionList
	layer   *fyne.Container // above everything, with the list
	hint    *widget.Label
	output  *outputView
	empty   *widget.Label // what a person can do, while the transcript is empty
	strip   *pictureStrip
	feed    *outputFeed

	run, stop, keepAs, checkpoint, undo, end, clear *widget.Button

	history    history
	transcript transcript
	files      *keptFiles
	saved      string // what was kept last, in short

	chosen   string   // the session in which code runs, or lastScene
	choices  []string // the sessions of the options of session
	last     string   // where the code of the last entry of the transcript ran
	sessions []api.Session
	known    bool   // the engine has told of its sessions
	outdated bool   // they may have changed, and the tab is out of sight
	busy     bool   // a run of the console has not ended, or is being sent
	current  string // that run, or ""
	begun    *time.Time
	asked    int // counts what was asked to be completed
	link     Link

	stale atomic.Bool // the sessions are about to be asked for
}

// consoleRunName is what tracebacks and the history call code of the console.
const consoleRunName = "<console>"

func newConsoleTab(w *window) *consoleTab {
	t := &consoleTab{window: w, chosen: defaultSession, last: defaultSession, link: -1}
	t.files = newKeptFiles(w.shell.cfg.Host.Keep)
	t.list = newCompletionList(t.take)
	t.code = &codeEntry{
		entry: entry{typed: w.typed}, list: t.list, send: t.send, complete: t.complete, previous: t.previous, typing: t.typing,
		leave: func(back bool) {
			if back {
				w.Canvas().FocusPrevious()
			} else {
				w.Canvas().FocusNext()
			}
		},
	}
	t.code.MultiLine = true
	t.code.Wrapping = fyne.TextWrapOff
	t.code.TextStyle.Monospace = true
	t.code.SetMinRowsVisible(3)
	t.code.SetPlaceHolder("bpy.data.objects")
	t.code.ExtendBaseWidget(t.code)
	t.hint = widget.NewLabel("")
	t.hint.Truncation = fyne.TextTruncateEllipsis
	t.hint.SizeName = theme.SizeNameCaptionText
	t.output = newOutputView(w)
	t.output.pictures = true
	t.output.find.SetPlaceHolder(lang.L("Find in the transcript"))
	toggle(t.output.wrap)
	t.output.pane.SetWrap(true)
	t.empty = widget.NewLabel(lang.L("What runs here is shown with what comes of it. A session is a Blender of its own, which keeps its scene and its names from run to run."))
	t.empty.Wrapping = fyne.TextWrapWord
	t.empty.Alignment = fyne.TextAlignCenter
	t.strip = newPictureStrip(w)
	t.feed = &outputFeed{ctx: w.shell.ctx, ask: w.shell.cfg.Client.Output, pane: consolePane{t}, finish: t.finished}
	t.session = widget.NewSelect(nil, nil)
	t.state = widget.NewLabel("")
	t.state.Truncation = fyne.TextTruncateEllipsis
	t.makeButtons()
	t.layer = container.NewWithoutLayout(t.list)
	top := container.NewBorder(nil, nil, container.NewHBox(widget.NewLabel(lang.L("Session")), t.session), nil, t.state)
	buttons := container.New(newWrappedRows(), t.run, t.stop, t.checkpoint, t.undo, t.keepAs, t.end, t.clear)
	split := container.NewVSplit(
		container.NewBorder(nil, container.NewPadded(t.strip.scroll), nil, nil, container.NewStack(t.output.content, container.NewPadded(t.empty))),
		container.NewPadded(container.NewBorder(nil, t.hint, nil, nil, t.code)),
	)
	split.SetOffset(0.74)
	t.content = container.NewStack(container.NewBorder(container.NewPadded(container.NewVBox(top, buttons)), nil, nil, nil, split), t.layer)
	t.begin()
	t.showHint("")
	return t
}

func (t *consoleTab) makeButtons() {
	button := func(text string, icon fyne.Resource, do func()) *widget.Button {
		return widget.NewButtonWithIcon(text, icon, do)
	}
	t.run = button(lang.L("Run"), theme.MediaPlayIcon(), t.send)
	t.run.Importance = widget.HighImportance
	t.stop = button(lang.L("Stop"), theme.MediaStopIcon(), func() {
		if t.current != "" {
			t.window.shell.ask(Item{Do: CancelRun, ID: t.current})
		}
	})
	t.checkpoint = button(lang.L("Checkpoint"), theme.ContentAddIcon(), func() { t.operate(api.SessionCheckpoint, "") })
	t.undo = button(lang.L("Undo"), theme.ContentUndoIcon(), func() { t.operate(api.SessionUndo, "") })
	t.keepAs = button(lang.L("Save as .blend…"), theme.DocumentSaveIcon(), t.askForFile)
	t.end = button(lang.L("End session"), theme.LogoutIcon(), t.askToEnd)
	t.clear = button(lang.L("Clear"), theme.DeleteIcon(), func() {
		t.transcript.clear()
		t.output.pane.Clear()
		t.strip.show(nil, nil)
		t.showState()
	})
}

// begin goes on where the last window was.
func (t *consoleTab) begin() {
	host := t.window.shell.cfg.Host
	t.history.sent = decodeHistory(host.Kept(historyFile))
	t.history.at = len(t.history.sent)
	kept := keptConsole{Session: defaultSession}
	if json.Unmarshal(host.Kept(consoleFile), &kept) != nil || kept.Session != lastScene && api.CheckSession(kept.Session) != nil {
		kept = keptConsole{Session: defaultSession}
	}
	t.chosen, t.last = kept.Session, kept.Session
	if kept.Transcript != "" {
		t.put([]byte(kept.Transcript))
		t.strip.show(picturesIn(kept.Transcript), nil)
	}
	if kept.Run != "" {
		t.busy, t.current = true, kept.Run
		t.feed.resume(kept.Run, kept.Have)
	}
	t.showChoices()
	t.session.OnChanged = func(string) {
		if i := t.session.SelectedIndex(); i >= 0 && t.choices[i] != t.chosen {
			t.chosen = t.choices[i]
			t.list.close()
			t.showState()
		}
	}
	t.showState()
}

// save keeps the console for the next window, if it has changed.
func (t *consoleTab) save() {
	kept := keptConsole{Session: t.chosen}
	var version int64
	kept.Run, kept.Have = t.feed.shown(func() { kept.Transcript, version = t.transcript.newest() })
	if now := fmt.Sprint(kept.Session, " ", kept.Run, " ", kept.Have, " ", version); now != t.saved {
		t.saved = now
		t.files.later(consoleFile, func() []byte {
			text, _ := json.Marshal(kept) // it can be encoded
			return text
		})
	}
}

// consolePane is where the output of a run goes: into the transcript. The feed may call its methods on
// any goroutine.
type consolePane struct{ t *consoleTab }

// Append adds what a run has printed.
func (p consolePane) Append(text []byte) { p.t.put(text) }

// Clear does nothing: what earlier runs have printed stays.
func (p consolePane) Clear() {}

// put adds text to the transcript. It may be called on any goroutine.
func (t *consoleTab) put(text []byte) {
	t.transcript.add(text)
	t.output.pane.Append(text)
}

// say adds text that begins a line. It may be called on any goroutine.
func (t *consoleTab) say(text string) {
	if t.transcript.endsOpen() {
		text = "\n" + text
	}
	t.put([]byte(text))
}

// coloured returns lines in a colour of terminals.
func coloured(colour int, text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(&b, "\x1b[%dm%s\x1b[0m\n", colour, line)
	}
	return b.String()
}

// The colours of what the console itself says, and of errors.
const (
	grey = 90
	red  = 31
)

// show shows the state of the engine.
func (t *consoleTab) show(s State) {
	if s.Link == Attached && t.link != Attached {
		t.refresh()
		t.resume()
	}
	if s.Link != Attached {
		t.known = false
	}
	t.link = s.Link
	t.begun = nil
	for i := range s.Running {
		if s.Running[i].Session == t.chosen && t.chosen != lastScene {
			t.begun = s.Running[i].StartedAt
		}
	}
	t.showState()
}

// resume asks what has become of the run whose end was not shown.
func (t *consoleTab) resume() {
	id := t.current
	if id == "" {
		return
	}
	w := t.window
	fetch(w, func(ctx context.Context) (api.Run, error) { return w.shell.cfg.Client.Run(ctx, id) }, func(r api.Run, err error) {
		switch {
		case id != t.current:
		case errors.Is(err, api.ErrNotFound):
			t.say(coloured(grey, "["+lang.L("the run is not in the history any more")+"]"))
			t.over()
		case err == nil:
			t.feed.catchUp(r)
		}
	})
}

// showState shows the state of the chosen session, and which buttons can be clicked.
func (t *consoleTab) showState() {
	attached := t.link == Attached
	s := findSession(t.sessions, t.chosen)
	live := attached && t.chosen != lastScene && s != nil && s.State != api.SessionEnded
	words := ""
	switch {
	case !attached:
		words = lang.L("no engine answers")
	case t.chosen == lastScene:
		words = lang.L("code runs in the scene that the last run has left")
	case t.known:
		words = sessionWords(s, t.begun)
	}
	if t.state.Text != words {
		t.state.SetText(words)
	}
	enable(t.run, attached && !t.busy)
	enable(t.stop, attached && t.current != "")
	enable(t.checkpoint, live && s.State == api.SessionReady)
	enable(t.keepAs, live && s.State == api.SessionReady)
	enable(t.undo, live && len(s.Checkpoints) > 0 && s.State != api.SessionRunning)
	enable(t.end, live)
	if t.transcript.isEmpty() {
		t.empty.Show()
	} else {
		t.empty.Hide()
	}
}

// showHint shows a sentence below the code; "" is what the keys do.
func (t *consoleTab) showHint(text string) {
	if text == "" {
		text = lang.L("Enter runs, Shift+Enter begins a line, Tab completes, Up brings back earlier code, Shift+Tab leaves the field.")
	}
	if t.hint.Text != text {
		t.hint.SetText(text)
	}
}

// showChoices shows in which sessions code may run.
func (t *consoleTab) showChoices() {
	t.choices = consoleChoices(t.sessions, t.chosen)
	var words []string
	at := 0
	for i, name := range t.choices {
		words = append(words, choiceWords(name))
		if name == t.chosen {
			at = i
		}
	}
	t.session.Options = words
	t.session.SetSelectedIndex(at)
}

// refresh asks the engine for its sessions.
func (t *consoleTab) refresh() {
	w := t.window
	fetch(w, w.shell.cfg.Client.Sessions, func(all []api.Session, err error) {
		if err != nil {
			return // the next event asks again
		}
		t.sessions, t.known = all, true
		t.showChoices()
		t.showState()
	})
}

// heard takes an event. It may be called on any goroutine.
func (t *consoleTab) heard(ev api.Event) {
	switch {
	case ev.Kind == api.KindOutput:
		t.feed.heard(ev)
		return
	case ev.Kind == api.KindRun && ev.Run != nil:
		t.feed.update(*ev.Run)
		if ev.Run.Session == "" {
			return
		}
	case ev.Kind == api.KindGap:
		t.window.shell.do(t.resume) // the end of the run may be among what was missed
	case ev.Kind != api.KindBlender:
		return
	}
	// Many events come at once, and one question is enough.
	if t.stale.CompareAndSwap(false, true) {
		time.AfterFunc(2*repaint, func() {
			t.stale.Store(false)
			t.window.shell.do(func() {
				if t.outdated = !t.selected(); !t.outdated {
					t.refresh()
				}
			})
		})
	}
}

// selected reports whether the tab is in sight.
func (t *consoleTab) selected() bool {
	at := t.window.tabs.Selected()
	return at != nil && at.Content == fyne.CanvasObject(t.content)
}

// entered is called when a person comes to a tab.
func (t *consoleTab) entered() {
	if t.outdated && t.selected() {
		t.outdated = false
		t.refresh()
	}
}

// edit puts code into the field, for a person to change and run, and goes there. What was typed there before
// comes back with the Up key.
func (t *consoleTab) edit(code string) {
	if strings.TrimSpace(t.code.Text) != "" {
		t.history.add(t.code.Text)
	}
	t.window.goToContent(t.content)
	t.code.set(code, false)
	t.window.Canvas().Focus(t.code)
}

// send runs the typed code.
func (t *consoleTab) send() {
	code := strings.TrimRight(t.code.Text, " \t\n")
	if strings.TrimSpace(code) == "" || t.run.Disabled() {
		if t.busy {
			t.showHint(lang.L("A run is running. Stop ends it."))
		}
		return
	}
	t.list.close()
	t.busy = true
	t.history.add(code)
	sent := t.history.sent[:len(t.history.sent):len(t.history.sent)]
	t.files.later(historyFile, func() []byte { return encodeHistory(sent) })
	if t.last != t.chosen {
		t.last = t.chosen
		t.say(coloured(grey, "["+choiceWords(t.chosen)+"]"))
	}
	t.say(prompted(code))
	t.output.pane.Follow()
	t.code.SetText("")
	t.showHint("")
	sub := api.Submission{Code: []byte(code), Name: consoleRunName, Scene: "keep", Session: t.chosen, Echo: t.chosen != lastScene, Client: windowClient}
	w := t.window
	fetch(w, func(ctx context.Context) (api.Run, error) { return w.shell.cfg.Client.Submit(ctx, sub) }, func(r api.Run, err error) {
		if err != nil {
			t.say(coloured(red, revealed(err.Error())))
			t.putBack(code)
			t.over()
			return
		}
		t.current = r.ID
		t.showState()
		t.feed.show(r)
		t.resume() // it may have ended before the feed knew of it
		t.save()   // a window that crashes now goes on with the run
	})
	t.showState()
	if t.selected() {
		w.Canvas().Focus(t.code)
	}
}

// putBack shows code that has not run in the field again, unless something was typed meanwhile.
func (t *consoleTab) putBack(code string) {
	if t.code.Text == "" {
		t.code.set(code, false)
	}
}

// over notes that the run of the console has ended.
func (t *consoleTab) over() {
	t.busy, t.current = false, ""
	t.showState()
	t.save()
	t.showHint("")
}

// finished shows how a run has ended, behind its output. The feed calls it, on any goroutine.
func (t *consoleTab) finished(r api.Run) {
	incomplete := r.Error != nil && r.Error.Type == "IncompleteInput"
	switch {
	case incomplete:
		t.say(coloured(grey, "["+lang.L("the code is not complete")+"]"))
	case r.Error != nil && r.Error.Traceback != "":
		t.say(coloured(red, r.Error.Traceback))
	case r.State != api.Succeeded:
		t.say(coloured(red, "["+stateWord(r.State)+"] "+why(r)))
	case len(r.Result) > 0 && string(r.Result) != "null":
		t.say("result = " + string(r.Result) + "\n")
	case r.Session == "" && r.OutputBytes == 0:
		t.say(coloured(grey, "["+lang.L("succeeded")+"]"))
	}
	if t.transcript.endsOpen() {
		t.put([]byte("\n"))
	}
	var pictures []string
	if len(r.Outputs) > 0 {
		t.put([]byte(madeWords(r.Outputs)))
		text, _ := t.transcript.newest()
		pictures = picturesIn(text)
	}
	t.window.shell.do(func() {
		if len(r.Outputs) > 0 {
			t.strip.show(pictures, r.Outputs)
		}
		if r.ID != t.current {
			return
		}
		if n := len(t.history.sent); incomplete && n > 0 {
			t.putBack(t.history.sent[n-1] + "\n")
		}
		t.over()
	})
}

// previous shows the code that ran before (-1) or after (1) what is shown.
func (t *consoleTab) previous(step int) {
	t.list.close()
	if text, ok := t.history.step(step, t.code.Text); ok {
		t.code.set(text, step < 0)
	}
}

// complete asks the session how the code may go on, and shows that.
func (t *consoleTab) complete() {
	t.ask(true)
}

// ask asks the session how the code may go on at the cursor. Without matches, only the signature of a
// call is shown.
func (t *consoleTab) ask(matches bool) {
	w, session, code, cursor := t.window, t.chosen, t.code.Text, t.code.CursorTextOffset()
	switch {
	case session == lastScene && matches:
		t.showHint(lang.L("Names complete in a session. The scene of the last run has none."))
		return
	case session == lastScene || t.link != Attached:
		return
	}
	t.asked++
	asked := t.asked
	fetchWithin(w, 5*time.Second, func(ctx context.Context) (api.Completion, error) {
		return w.shell.cfg.Client.Complete(ctx, session, code, cursor)
	}, func(found api.Completion, err error) {
		if asked != t.asked || session != t.chosen || code != t.code.Text || cursor != t.code.CursorTextOffset() {
			return // a person has typed on, or has chosen another session
		}
		if w.Canvas().Focused() != fyne.Focusable(t.code) {
			return // a person is elsewhere by now, and the list would not hear the keys
		}
		hint := ""
		if found.Signature != nil {
			hint = *found.Signature
		}
		switch {
		case errors.Is(err, api.ErrBusy):
			hint = lang.L("Names complete when the run has ended.")
		case err != nil:
			hint = err.Error()
		case matches && len(found.Matches) == 0 && hint == "" && findSession(t.sessions, session) == nil:
			hint = lang.L("Names complete when the session has begun, with its first run.")
		case matches && len(found.Matches) == 0 && hint == "":
			hint = lang.L("No name begins like this.")
		}
		if err == nil || matches {
			t.showHint(hint)
		}
		if matches && err == nil {
			t.offer(found)
		}
	})
}

// offer inserts what is certain of the matches, and shows the list where a person has to choose.
func (t *consoleTab) offer(found api.Completion) {
	if len(found.Matches) == 0 {
		return
	}
	typed := t.typedFrom(found.Start)
	if common := commonPrefix(found.Matches); strings.HasPrefix(common, typed) {
		t.code.replace(found.Start, common)
	}
	if len(found.Matches) == 1 {
		return
	}
	if t.list.open(found, t.typedFrom(found.Start)) {
		t.place()
	}
}

// typedFrom returns what is typed from a rune on, up to the cursor.
func (t *consoleTab) typedFrom(start int) string {
	before, _ := t.code.around()
	runes := []rune(before)
	return string(runes[min(max(start, 0), len(runes)):])
}

// take puts a match into the code.
func (t *consoleTab) take(match string) {
	start := t.list.start
	t.list.close()
	t.code.replace(start, match)
	t.window.shell.do(func() { t.window.Canvas().Focus(t.code) }) // after a click, which takes the focus
}

// typing follows what a person types: the list has what goes on from there, and a bracket brings the
// signature of the function.
func (t *consoleTab) typing(r rune) {
	if t.list.Visible() {
		typed := t.typedFrom(t.list.start)
		if t.code.CursorTextOffset() <= t.list.start || !t.list.update(typed) || r != 0 && !isWordRune(r) && !strings.Contains(typed, "[") {
			t.list.close()
		} else {
			t.place()
		}
	}
	switch r {
	case '(', ',':
		t.ask(false)
	case ')':
		t.showHint("")
	}
}

// place moves the list to the cursor: above it, where there is room.
func (t *consoleTab) place() {
	d := fyne.CurrentApp().Driver()
	field := d.AbsolutePositionForObject(t.code).Subtract(d.AbsolutePositionForObject(t.layer))
	cursor, size, room := t.code.CursorPosition(), t.list.MinSize(), t.layer.Size()
	line := theme.TextSize() * 1.5
	y := field.Y + min(cursor.Y, max(0, t.code.Size().Height-line))
	if y >= size.Height {
		y -= size.Height
	} else {
		y += line
	}
	// What is typed of a match stands above its beginning in the list.
	typed := fyne.MeasureText(" "+lastPart(t.typedFrom(t.list.start)), theme.TextSize(), fyne.TextStyle{Monospace: true}).Width + listPadding
	x := min(field.X+min(cursor.X, t.code.Size().Width)-typed, max(0, room.Width-size.Width))
	t.list.Resize(size)
	t.list.Move(fyne.NewPos(max(0, x), y))
}
