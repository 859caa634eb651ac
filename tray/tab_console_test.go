//go:build !headless

package tray

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// openConsole opens a window at the console, which can be used.
func openConsole(t *testing.T, host *hostOfTest, set func(*backend), runs ...api.Run) *open {
	t.Helper()
	o := openWindowOf(t, host, runs...)
	o.backend.mu.Lock()
	if set != nil {
		set(o.backend)
	}
	o.backend.mu.Unlock()
	o.Resize(fyne.NewSize(1000, 700))
	o.goTo(o.tabOf(o.console.content))
	o.console.refresh()
	o.until("the console can be used", func() bool {
		o.show(o.shell.now())
		return o.console.known && !o.console.run.Disabled() && len(o.console.sessions) == len(o.backend.Sessions())
	})
	return o
}

// key presses keys in the code.
func (o *open) key(names ...fyne.KeyName) {
	for _, name := range names {
		o.console.code.TypedKey(&fyne.KeyEvent{Name: name})
	}
}

// with presses a key together with Ctrl.
func (o *open) with(name fyne.KeyName) {
	o.console.code.TypedShortcut(&desktop.CustomShortcut{KeyName: name, Modifier: fyne.KeyModifierShortcutDefault})
}

func (o *open) typeCode(text string) { test.Type(o.console.code, text) }

func (o *open) codes() (all []string) {
	o.backend.mu.Lock()
	defer o.backend.mu.Unlock()
	for _, s := range o.backend.submitted {
		all = append(all, string(s.Code))
	}
	return all
}

// plain returns the transcript.
func (o *open) plain() string { return o.console.output.pane.Text() }

// shows waits until the transcript has a text, and the run has ended.
func (o *open) shows(text string) {
	o.t.Helper()
	o.until("the transcript has "+text, func() bool { return !o.console.busy && strings.Contains(o.plain(), text) })
}

func TestEnterRunsCodeThatIsCompleteInTheSession(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, nil)
	c := o.console
	o.typeCode("if x:")
	o.key(fyne.KeyReturn)
	o.typeCode("y")
	o.key(fyne.KeyReturn)
	if c.code.Text != "if x:\n    y\n    " || c.busy {
		t.Fatalf("the code is %q", c.code.Text)
	}
	o.key(fyne.KeyReturn)
	o.shows(">>> if x:\n...     y\nprinted\nresult = 11")
	if c.code.Text != "" {
		t.Errorf("left in the field: %q", c.code.Text)
	}
	o.typeCode("1")
	c.code.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	o.key(fyne.KeyReturn)
	c.code.KeyUp(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	o.typeCode("for")
	if c.code.Text != "1\nfor" {
		t.Errorf("with Shift the code is %q", c.code.Text)
	}
	o.with(fyne.KeyReturn)
	o.shows(">>> 1\n... for\n")
	sub := o.backend.submitted[0]
	if sub.Session != "console" || !sub.Echo || sub.Scene != "keep" || sub.Name != "<console>" {
		t.Errorf("%+v", sub)
	}
	if got := o.codes(); !slices.Equal(got, []string{"if x:\n    y", "1\nfor"}) {
		t.Errorf("it ran %q", got)
	}
	o.typeCode("ab")
	o.key(fyne.KeyHome, fyne.KeyReturn) // whatever is complete runs from anywhere in its last line
	o.shows(">>> ab\n")
}

func TestCodeMayRunInTheSceneOfTheLastRun(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, nil)
	o.console.session.SetSelected("The scene of the last run")
	o.typeCode("x = 1")
	o.key(fyne.KeyReturn)
	o.shows("[The scene of the last run]\n>>> x = 1\n")
	if sub := o.backend.submitted[0]; sub.Session != "" || sub.Echo || sub.Scene != "keep" {
		t.Errorf("%+v", sub)
	}
	o.typeCode("x")
	o.key(fyne.KeyTab)
	if !strings.Contains(o.console.hint.Text, "Names complete in a session") {
		t.Errorf("the hint is %q", o.console.hint.Text)
	}
}

func TestTheConsoleKeepsItsHistoryOverWindows(t *testing.T) {
	host := &hostOfTest{}
	o := openConsole(t, host, nil)
	for _, code := range []string{"x = 1", "print(22)", "print(22)", "a\nb"} {
		o.console.code.SetText(code)
		o.with(fyne.KeyReturn)
		o.until(code+" has run", func() bool { return !o.console.busy })
	}
	o.console.files.flush() // a window that crashes now has written them
	next := openConsole(t, host, nil)
	next.typeCode("draft")
	steps := []struct {
		key  fyne.KeyName
		want string
	}{
		{fyne.KeyUp, "a\nb"},
		{fyne.KeyUp, "print(22)"},
		{fyne.KeyUp, "x = 1"},
		{fyne.KeyUp, "x = 1"},
		{fyne.KeyDown, "print(22)"},
		{fyne.KeyDown, "a\nb"},
		{fyne.KeyDown, "draft"},
		{fyne.KeyDown, "draft"},
	}
	for _, step := range steps {
		next.key(step.key)
		if next.console.code.Text != step.want {
			t.Errorf("after %s it shows %q, want %q", step.key, next.console.code.Text, step.want)
		}
	}
	// With Ctrl from any line.
	next.with(fyne.KeyUp)
	next.key(fyne.KeyDown)
	if next.console.code.Text != "a\nb" || next.console.code.CursorRow != 1 {
		t.Errorf("%q, row %d", next.console.code.Text, next.console.code.CursorRow)
	}
	next.with(fyne.KeyUp)
	if next.console.code.Text != "print(22)" {
		t.Errorf("%q", next.console.code.Text)
	}
}

func TestTheTranscriptIsKeptOverWindows(t *testing.T) {
	host, dir := &hostOfTest{}, t.TempDir()
	picture := filepath.Join(dir, "a b.png")
	o := openConsole(t, host, func(b *backend) {
		b.submit = func(s api.Submission) (api.Run, error) {
			began := time.Now()
			return api.Run{
				Session: s.Session, State: api.Failed, StartedAt: &began, Output: "out", OutputBytes: 3, Outputs: []string{picture, "/x.blend"},
				Error: &api.ScriptError{Type: "KeyError", Traceback: "Traceback:\nKeyError: 1\n"},
			}, nil
		}
	})
	o.typeCode("f()")
	o.key(fyne.KeyReturn)
	want := ">>> f()\nout\nTraceback:\nKeyError: 1\n[picture " + picture + "]\n[file /x.blend]"
	o.shows(want)
	if got := o.console.strip.paths; !slices.Equal(got, []string{picture}) || !o.console.strip.scroll.Visible() {
		t.Errorf("pictures %q", got)
	}
	if text, _ := o.console.transcript.newest(); !strings.Contains(text, "\x1b[31mKeyError: 1\x1b[0m\n") {
		t.Errorf("the error is not red: %q", text)
	}
	o.shell.end()
	next := openConsole(t, host, nil)
	if got := strings.TrimRight(next.plain(), "\n"); got != want || !slices.Equal(next.console.strip.paths, []string{picture}) || next.console.empty.Visible() {
		t.Errorf("the next window has %q, %q", got, next.console.strip.paths)
	}
	test.Tap(next.console.clear)
	if next.plain() != "" || next.console.strip.scroll.Visible() || !next.console.empty.Visible() {
		t.Errorf("cleared, it has %q", next.plain())
	}
	next.shell.end()
	if third := openConsole(t, host, nil); third.plain() != "" {
		t.Errorf("the third has %q", third.plain())
	}
}

func TestARunGoesOnInTheNextWindow(t *testing.T) {
	host := &hostOfTest{}
	began := time.Now()
	running := api.Run{Session: "console", State: api.Running, StartedAt: &began, Output: "first\n", OutputBytes: 6}
	o := openConsole(t, host, func(b *backend) {
		b.submit = func(api.Submission) (api.Run, error) { return running, nil }
	})
	o.typeCode("f()")
	o.key(fyne.KeyReturn)
	o.until("its output is there", func() bool { return strings.Contains(o.plain(), "first") && !o.console.stop.Disabled() })
	o.typeCode("g()")
	o.key(fyne.KeyReturn)
	if !strings.Contains(o.console.hint.Text, "A run is running") || o.console.code.Text != "g()" {
		t.Errorf("%q, %q", o.console.hint.Text, o.console.code.Text)
	}
	o.shell.end()
	other := &hostOfTest{kept: map[string][]byte{consoleFile: host.Kept(consoleFile)}}

	ended := running
	ended.State, ended.Output, ended.OutputBytes = api.Succeeded, "first\nlast\n", 11
	next := openWindowOf(t, host, ended)
	next.until("its end is there", func() bool {
		next.show(next.shell.now())
		return !next.console.busy && strings.HasSuffix(strings.TrimRight(next.plain(), "\n"), ">>> f()\nfirst\nlast")
	})
	// A run that the history has lost holds nothing up.
	lost := openWindowOf(t, other)
	lost.until("it is given up", func() bool { lost.show(lost.shell.now()); return !lost.console.busy })
	if !strings.Contains(lost.plain(), "not in the history any more") {
		t.Errorf("%q", lost.plain())
	}
}

func TestOutputFollowsLive(t *testing.T) {
	began := time.Now()
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.submit = func(s api.Submission) (api.Run, error) {
			return api.Run{Session: s.Session, State: api.Running, StartedAt: &began}, nil
		}
	})
	o.typeCode("f()")
	o.key(fyne.KeyReturn)
	o.until("it is running", func() bool { return o.console.current != "" })
	id, at := o.console.current, int64(0)
	for i := range 300 {
		text := fmt.Sprintf("line %d\n", i)
		o.backend.mu.Lock()
		o.backend.runs[0].Output += text
		o.backend.runs[0].OutputBytes += int64(len(text))
		o.backend.mu.Unlock()
		o.backend.publish(api.Event{Kind: api.KindOutput, ID: id, Text: text, From: at})
		at += int64(len(text))
	}
	o.until("it is shown", func() bool { return strings.Contains(o.plain(), "line 299") })
	o.backend.change(id, func(r *api.Run) {
		r.State, r.Error = api.Failed, &api.ScriptError{Type: "IncompleteInput", Message: "no"}
	})
	o.until("it has ended", func() bool { return !o.console.busy })
	if n := strings.Count(o.plain(), "line "); n != 300 || o.console.code.Text != "f()\n" || !strings.Contains(o.plain(), "[the code is not complete]") {
		t.Errorf("%d lines, and the code is %q", n, o.console.code.Text)
	}
}

func TestTheConsoleGoesOnAfterAGapInWhichItsRunEnded(t *testing.T) {
	began := time.Now()
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.submit = func(s api.Submission) (api.Run, error) {
			return api.Run{Session: s.Session, State: api.Running, StartedAt: &began}, nil
		}
	})
	o.typeCode("f()")
	o.key(fyne.KeyReturn)
	o.until("it is running, and the console has asked for its state", func() bool { return o.console.current != "" && o.shell.busy == 0 })
	o.backend.mu.Lock()
	o.backend.runs[0].State = api.Succeeded // and nobody hears of it
	o.backend.mu.Unlock()
	o.heard(api.Event{Kind: api.KindGap})
	o.until("the console goes on", func() bool { return !o.console.busy })
}

func TestNamesThatComeLateOpenNoList(t *testing.T) {
	goOn := make(chan struct{})
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.sessions = []api.Session{{Name: "console", State: api.SessionReady}, {Name: "other", State: api.SessionReady}}
		b.completes = func(string, string, int) (api.Completion, error) {
			<-goOn
			return api.Completion{Matches: []string{"xa", "xb"}}, nil
		}
	})
	c := o.console
	late := func(what string, leave func()) {
		t.Helper()
		c.code.set("x", false)
		o.Canvas().Focus(c.code)
		o.key(fyne.KeyTab)
		leave()
		goOn <- struct{}{}
		o.until("the answer is there", func() bool { return o.shell.busy == 0 })
		if c.list.Visible() {
			t.Errorf("%s: the list is open", what)
		}
	}
	late("elsewhere", func() { o.Canvas().Focus(c.output.find) })
	late("in another session", func() { c.chosen = "other" })
}

func TestASubmissionThatFailsGivesTheCodeBack(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.submit = func(api.Submission) (api.Run, error) { return api.Run{}, fmt.Errorf("%w: no", api.ErrBad) }
	})
	o.typeCode("f()")
	o.key(fyne.KeyReturn)
	o.shows("bad request: no")
	if o.console.code.Text != "f()" || o.console.run.Disabled() {
		t.Errorf("the code is %q", o.console.code.Text)
	}
}

func TestTabCompletesAndIndents(t *testing.T) {
	all := map[string]api.Completion{
		"bpy.da":      {Matches: []string{"bpy.data"}},
		"bpy.data.":   {Matches: []string{"bpy.data.objects", "bpy.data.objekte", "bpy.data.scenes"}},
		"bpy.data.ob": {Matches: []string{"bpy.data.objects", "bpy.data.objekte"}},
		"x = größe":   {Start: 4, Matches: []string{"größer", "größerer"}},
	}
	signature := "paint(coat)"
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.sessions = []api.Session{{Name: "console", State: api.SessionReady}}
		b.completes = func(session, code string, _ int) (api.Completion, error) {
			switch {
			case code == "busy":
				return api.Completion{}, api.ErrBusy
			case strings.HasSuffix(code, "("):
				return api.Completion{Signature: &signature}, nil
			}
			return all[code], nil
		}
	})
	c := o.console
	code := func(text string) {
		c.list.close()
		c.code.set(text, false)
	}
	becomes := func(what, want string) {
		t.Helper()
		o.until(fmt.Sprintf("%s: the code is %q", what, want), func() bool { return c.code.Text == want })
	}
	o.key(fyne.KeyTab)
	becomes("at a line's beginning", "    ")
	o.key(fyne.KeyBackspace)
	becomes("and back", "")
	code("  x\n  ")
	o.key(fyne.KeyTab)
	becomes("to the next step", "  x\n    ")

	code("bpy.da")
	o.key(fyne.KeyTab)
	becomes("a single match", "bpy.data")
	code("x = größe")
	o.key(fyne.KeyTab)
	becomes("what all have", "x = größer")
	o.until("the list is open", func() bool { return c.list.Visible() && len(c.list.matches) == 2 })
	o.key(fyne.KeyDown, fyne.KeyTab)
	becomes("the second", "x = größerer")

	code("bpy.data.")
	o.key(fyne.KeyTab)
	o.until("the list is open", func() bool { return c.list.Visible() && len(c.list.matches) == 3 })
	if at := c.list.Position(); at.Y < 0 || at.X < 0 || at.Y+c.list.Size().Height > c.layer.Size().Height {
		t.Errorf("the list is at %v, of the size %v, in %v", at, c.list.Size(), c.layer.Size())
	}
	o.key(fyne.KeyUp)
	if c.list.matches[c.list.at] != "bpy.data.scenes" {
		t.Errorf("marked is %s", c.list.matches[c.list.at])
	}
	o.typeCode("ob")
	if !c.list.Visible() || len(c.list.matches) != 2 {
		t.Errorf("typed on, the matches are %q", c.list.matches)
	}
	o.key(fyne.KeyReturn)
	becomes("Enter takes", "bpy.data.objects")
	if c.list.Visible() || c.busy {
		t.Error("the list is open, or the code runs")
	}
	code("bpy.data.")
	o.key(fyne.KeyTab)
	o.until("the list is open", func() bool { return c.list.Visible() })
	o.key(fyne.KeyEscape)
	if c.list.Visible() || c.code.Text != "bpy.data." {
		t.Errorf("after Escape: %q", c.code.Text)
	}
	o.key(fyne.KeyTab)
	o.until("the list is open", func() bool { return c.list.Visible() })
	o.typeCode(" ")
	if c.list.Visible() {
		t.Error("a space leaves the list open")
	}
	code("bpy.data.")
	o.key(fyne.KeyTab)
	o.until("the list is open", func() bool { return c.list.Visible() })
	row := c.list.rows.Objects[2].(*completionRow)
	o.Canvas().Unfocus() // as the toolkit does at a click
	row.MouseDown(nil)
	becomes("a click takes", "bpy.data.scenes")
	o.until("the code has the focus again", func() bool { return o.Canvas().Focused() == fyne.Focusable(c.code) })

	code("paint")
	o.typeCode("(")
	o.until("the signature is shown", func() bool { return c.hint.Text == signature })
	o.typeCode(")")
	if c.hint.Text == signature {
		t.Error("the signature stays behind the call")
	}
	code("busy")
	o.key(fyne.KeyTab)
	o.until("it says why not", func() bool { return strings.Contains(c.hint.Text, "when the run has ended") })
	code("nothing")
	o.key(fyne.KeyTab)
	o.until("it says so", func() bool { return strings.Contains(c.hint.Text, "No name begins") })
}

func TestTheStateOfTheSessionIsSaidInWords(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 10, 11, 12, 0, time.Local)
	for _, c := range []struct {
		session *api.Session
		begun   *time.Time
		want    string
	}{
		{nil, nil, "begins with its first run"},
		{&api.Session{State: api.SessionStarting}, nil, "starting: its first run waits for a Blender"},
		{&api.Session{State: api.SessionReady}, nil, "idle"},
		{&api.Session{State: api.SessionReady, MemoryBytes: 300 << 20}, nil, "idle · 315 MB"},
		{&api.Session{State: api.SessionReady, Checkpoints: make([]api.Checkpoint, 1), Queued: 1}, nil, "idle · 1 waiting · checkpoints: 1"},
		{&api.Session{State: api.SessionRunning}, &began, "running since 10:11:12"},
		{&api.Session{State: api.SessionRunning}, nil, "running"},
		{&api.Session{State: api.SessionCrashed, Reason: "its Blender had crashed in run 3"}, nil, "its Blender had crashed in run 3; the next run starts a new session and says so"},
		{&api.Session{State: api.SessionEnded, Reason: "it was not used for 30m"}, nil, "ended because it was not used for 30m; the next run starts a new session and says so"},
	} {
		if got := sessionWords(c.session, c.begun); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestTheChoicesAreTheSessionsThatThereAre(t *testing.T) {
	t.Parallel()
	all := []api.Session{{Name: "z"}, {Name: "console"}, {Name: "a"}, {Name: "old", State: api.SessionEnded}}
	for chosen, want := range map[string][]string{
		"console": {"console", "a", "z", ""},
		"":        {"console", "a", "z", ""},
		"a":       {"console", "a", "z", ""},
		"gone":    {"console", "a", "gone", "z", ""},
	} {
		if got := consoleChoices(all, chosen); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", chosen, got, want)
		}
	}
}

func TestTheButtonsOfASessionDoWhatTheySay(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, func(b *backend) {
		b.sessions = []api.Session{{Name: "console", State: api.SessionReady, Checkpoints: []api.Checkpoint{{Number: 2}}}, {Name: "chair", State: api.SessionReady}}
	})
	c := o.console
	did := func(n int) api.SessionRequest {
		t.Helper()
		o.until("it is done", func() bool {
			o.backend.mu.Lock()
			defer o.backend.mu.Unlock()
			return len(o.backend.did) == n
		})
		return o.backend.did[n-1]
	}
	test.Tap(c.checkpoint)
	if r := did(1); r.Operation != api.SessionCheckpoint || r.Session != "console" {
		t.Errorf("%+v", r)
	}
	o.shows("[checkpoint 3 saved]")
	test.Tap(c.undo)
	if r := did(2); r.Operation != api.SessionUndo {
		t.Errorf("%+v", r)
	}
	c.session.SetSelected("chair")
	if !c.undo.Disabled() || c.keepAs.Disabled() {
		t.Error("a session without checkpoints has an undo, or can't be saved")
	}
	c.operate(api.SessionSave, "/a/b.blend")
	if r := did(3); r.Operation != api.SessionSave || r.Session != "chair" || r.File != "/a/b.blend" {
		t.Errorf("%+v", r)
	}
	o.shows("[saved as /a/b.blend]")
	test.Tap(c.end)
	o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	o.shows("[the session chair has ended]")
	o.until("it is gone", func() bool { return len(c.sessions) == 1 && c.end.Disabled() })
}

func TestWhereASceneIsSavedIsAskedWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	there := filepath.Join(dir, "there.blend")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		filepath.Join(dir, "new.blend"):       "",
		filepath.Join(dir, "new"):             "",
		there:                                 "The file is there already, and is replaced.",
		filepath.Join(dir, "there"):           "The file is there already, and is replaced.",
		filepath.Join(dir, "none", "a.blend"): "There is no such folder.",
		"a.blend":                             "Give the full path of the file.",
		"":                                    "Give the full path of the file.",
		dir + string(filepath.Separator):      "Give the full path of the file.",
	} {
		if got := saveTrouble(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := blendPath(" " + filepath.Join(dir, "a.b") + " "); got != filepath.Join(dir, "a.b.blend") {
		t.Errorf("%q", got)
	}
}

func TestOthersPutCodeIntoTheConsole(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, nil)
	o.goTo(0)
	o.console.edit("a\nb")
	if o.tabs.Selected().Content != fyne.CanvasObject(o.console.content) || o.console.code.Text != "a\nb" || o.Canvas().Focused() != fyne.Focusable(o.console.code) {
		t.Errorf("%q", o.console.code.Text)
	}
	o.typeCode("c")
	if o.console.code.Text != "a\nbc" {
		t.Errorf("%q", o.console.code.Text)
	}
}

func TestPicturesOfATranscriptAreEachShownOnce(t *testing.T) {
	t.Parallel()
	text := madeWords([]string{"/a.png", "/b.txt", "/c.JPG"}) + "x\n[picture relative.png]\n" + madeWords([]string{"/a.png"})
	if got := picturesIn(text); !slices.Equal(got, []string{"/c.JPG", "/a.png"}) {
		t.Errorf("%q", got)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("/%d.png", i))
	}
	text = madeWords(many)
	if got := picturesIn(text); len(got) != maxPictures || got[len(got)-1] != "/49.png" || !strings.HasSuffix(text, "[…]\x1b[0m\n") {
		t.Errorf("%d pictures, the last is %s", len(got), got[len(got)-1])
	}
	if got := picturesIn("[picture /a.bat]\n[picture /a.py]\n"); len(got) != 0 {
		t.Errorf("%q are pictures", got)
	}
}

func TestOnlyTheConsoleOpensPicturesAndOnlyPictures(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, nil)
	const good, bad = "[picture /a b.png]", "[picture /a.bat]"
	v, other := o.console.output, newOutputView(o.window)
	if !v.opens(good) || v.opens(bad) || other.opens(good) || !other.opens(`  File "/a.py", line 3`) {
		t.Error("a click opens something else")
	}
	o.host.editor = "before"
	v.open(bad)
	v.open(good)
	o.until("the picture is opened by the desktop", func() bool {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return slices.Equal(o.host.opened, []string{"/a b.png:0"}) && o.host.editor == "before"
	})
}

func TestAListMovesAndNarrows(t *testing.T) {
	t.Parallel()
	var c completions
	for i := range 20 {
		c.all = append(c.all, fmt.Sprintf("x.a%02d", i))
	}
	if !c.narrow("x.a") || len(c.matches) != 20 {
		t.Fatalf("%q", c.matches)
	}
	c.move(-1)
	if some, marked := c.inSight(); some[marked] != "x.a19" || len(some) != visibleMatches {
		t.Errorf("%q, %d", some, marked)
	}
	c.move(1)
	c.move(visibleMatches)
	if some, marked := c.inSight(); some[marked] != "x.a08" {
		t.Errorf("%q, %d", some, marked)
	}
	if !c.narrow("x.a1") || len(c.matches) != 10 || c.at != 0 {
		t.Errorf("%q", c.matches)
	}
	if c.narrow("x.a11") || c.narrow("y") {
		t.Error("what is typed whole, or never, has a list")
	}
	c.move(1) // nothing is there
	for match, want := range map[string]string{
		"bpy": "bpy", "bpy.data": "data", `o["a.b"]`: `["a.b"]`, `o["a[b"]`: `["a[b"]`, `o["a"].loc`: "loc", `o["a\""]`: `["a\""]`, `o["a`: `["a`, "x = ": "x = ",
	} {
		if got := lastPart(match); got != want {
			t.Errorf("%s: %s, want %s", match, got, want)
		}
	}
	if got := commonPrefix([]string{"größe", "größer", "grün"}); got != "gr" {
		t.Errorf("%q", got)
	}
}

func TestTheSessionsAreAskedForWhileTheyAreInSight(t *testing.T) {
	o := openConsole(t, &hostOfTest{}, nil)
	set := func(sessions ...api.Session) {
		o.backend.mu.Lock()
		o.backend.sessions = sessions
		o.backend.mu.Unlock()
		o.backend.publish(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderReady}})
	}
	set(api.Session{Name: "chair", State: api.SessionReady})
	o.until("the session can be chosen", func() bool { return slices.Contains(o.console.session.Options, "chair") })
	o.goTo(0)
	set(api.Session{Name: "table", State: api.SessionReady})
	o.until("it knows that others may be there", func() bool { return o.console.outdated })
	if slices.Contains(o.console.session.Options, "table") {
		t.Error("it asks out of sight")
	}
	o.goTo(o.tabOf(o.console.content))
	o.until("the other can be chosen", func() bool { return slices.Contains(o.console.session.Options, "table") })
}
