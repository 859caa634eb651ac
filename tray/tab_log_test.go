//go:build !headless

package tray

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
)

// openLog opens a window at the tab Log, with a log of the engine and of two Blenders, of which the second
// has none yet.
func openLog(t *testing.T, engine, blender string) (o *open, dir string) {
	t.Helper()
	dir = t.TempDir()
	host := &hostOfTest{logs: []Log{
		{"", filepath.Join(dir, "engine.log")}, {"default", filepath.Join(dir, "blender.log")}, {"second", filepath.Join(dir, "blender.second.log")},
	}}
	put(t, host.logs[0].Path, engine)
	put(t, host.logs[1].Path, blender)
	o = openWindowOf(t, host)
	o.Resize(fyne.NewSize(1000, 700))
	o.tabs.SelectIndex(o.tabOf(o.log.content))
	return o, dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// logs waits until exactly a text is shown, and no reason why there is none.
func (o *open) logs(want string) {
	o.t.Helper()
	o.until(fmt.Sprintf("%q is shown", want), func() bool {
		return strings.TrimSpace(o.log.view.pane.Text()) == want && (o.log.empty.Text == "") == (want != "")
	})
}

const (
	logInfo  = "time=1 level=INFO msg=ready\n"
	logWarn  = "time=2 level=WARN msg=slow\n"
	logError = "time=3 level=ERROR msg=\"disk full\"\n"
)

func TestALogIsFollowedAndFiltered(t *testing.T) {
	o, dir := openLog(t, logInfo+logWarn, "Fra:1 Mem:1M\nread \x1b[31mtown\x1b[0m\n")
	l := o.log
	path := filepath.Join(dir, "engine.log")
	o.logs(strings.TrimSpace(logInfo + logWarn))
	add(t, path, logError)
	o.logs(strings.TrimSpace(logInfo + logWarn + logError))
	l.level.SetSelectedIndex(1)
	o.logs(strings.TrimSpace(logWarn + logError))
	add(t, path, logInfo+"time=4 level=WARN msg=again\n")
	o.logs(strings.TrimSpace(logWarn + logError + "time=4 level=WARN msg=again"))
	l.filter.SetText("DISK")
	o.logs(strings.TrimSpace(logError))
	l.filter.SetText("nowhere")
	o.logs("")
	o.until("it says why", func() bool { return l.empty.Text == "No line of this log matches." })
	add(t, path, "level=ERROR msg=nowhere\n")
	o.logs("level=ERROR msg=nowhere")
	l.filter.SetText("")
	l.level.SetSelectedIndex(0)
	o.until("all are shown", func() bool { return strings.HasPrefix(l.view.pane.Text(), logInfo) })

	// Blender's lines have no level, and those that a run's output leaves out are there.
	o.blender.shown.Name = "default"
	o.showLog("default")
	o.logs("Fra:1 Mem:1M\nread town")
	if !l.level.Disabled() {
		t.Error("lines without a level are filtered by it")
	}
	// One that there is not yet appears.
	o.showLog("second")
	o.until("it says why", func() bool { return strings.HasPrefix(l.empty.Text, "There is no log yet: ") })
	put(t, filepath.Join(dir, "blender.second.log"), "hello\n")
	o.logs("hello")
}

func TestALogIsFollowedWhenAnotherTakesItsPlaceAndWithoutAnEngine(t *testing.T) {
	o, dir := openLog(t, "one\n", "")
	path := filepath.Join(dir, "engine.log")
	lost := o.shell.now()
	lost.Link = Lost
	o.show(lost)
	o.logs("one")
	add(t, path, "two\n")
	if err := os.Rename(path, filepath.Join(dir, "engine-2026-01-02T10-00-00.000-size.log")); err != nil {
		t.Fatal(err)
	}
	put(t, path, "three\n")
	o.logs("one\ntwo\nthree")
	put(t, path, "") // somebody empties it
	put(t, path, "4\n")
	o.logs("one\ntwo\nthree\n4")
	test.Tap(o.log.follow)
	o.logs("one\ntwo\n4") // what is in the files
	add(t, path, "five\n")
	test.Tap(o.log.follow)
	o.logs("one\ntwo\n4\nfive")
}

func TestTextAfterAPassingErrorRemovesTheError(t *testing.T) {
	o, dir := openLog(t, "one\n", "")
	l, path := o.log, filepath.Join(dir, "engine.log")
	o.logs("one")
	l.mu.Lock()
	number := l.reading
	l.mu.Unlock()
	l.fail(number, l.chosen(), l.shows(), errors.New("the disk is away"))
	o.until("the error is told", func() bool { return strings.Contains(l.empty.Text, "the disk is away") })
	add(t, path, "two\n")
	o.logs("one\ntwo")

	// Where no more can be shown, it is told still that there is more.
	l.want = mostLog
	l.showAbove(mostLog, true, l.shows())
	if !l.aboveBox.Visible() || l.more.Visible() || !strings.Contains(l.above.Text, "there are older lines") {
		t.Errorf("above stands %q", l.above.Text)
	}
}

func TestMoreOfALogIsShownAbove(t *testing.T) {
	var text strings.Builder
	for n := range 60_000 {
		fmt.Fprintf(&text, "line %d of the log of the engine\n", n)
	}
	o, dir := openLog(t, text.String(), "")
	l := o.log
	o.until("the end is shown", func() bool {
		return strings.HasSuffix(strings.TrimSpace(l.view.pane.Text()), "line 59999 of the log of the engine") && l.aboveBox.Visible()
	})
	if kept, _ := l.view.pane.Kept(); kept > 2*firstLog || !l.aboveBox.Visible() || !strings.Contains(l.above.Text, "1.0 MB") {
		t.Fatalf("%d bytes are shown, and it says %q", kept, l.above.Text)
	}
	l.showMore()
	o.until("all is shown", func() bool { return strings.HasPrefix(l.view.pane.Text(), "line 0 ") && !l.aboveBox.Visible() })
	if l.view.pane.Follows() {
		t.Error("what the person looked at is not in sight any more")
	}
	open := func() []string {
		o.host.mu.Lock()
		defer o.host.mu.Unlock()
		return slices.Clone(o.host.opened)
	}
	l.open(func(path string) string { return path })
	o.until("the file is opened", func() bool { return slices.Equal(open(), []string{filepath.Join(dir, "engine.log") + ":0"}) })
	l.open(filepath.Dir)
	o.until("its folder is opened", func() bool { return slices.Contains(open(), dir+":0") })
	o.typed(&desktop.CustomShortcut{KeyName: fyne.KeyF, Modifier: fyne.KeyModifierShortcutDefault})
	if o.Canvas().Focused() != fyne.Focusable(l.view.find) {
		t.Error("the text to find is typed elsewhere")
	}
	// A tab that is not shown keeps nothing.
	o.tabs.SelectIndex(0)
	o.until("nothing is kept", func() bool { kept, _ := l.view.pane.Kept(); return kept == 0 })
}

func TestTheFilterOfTheLogHasRoomForItsWords(t *testing.T) {
	o, _ := openLog(t, "", "")
	o.Resize(fyne.NewSize(890, 475)) // a display of 1920×1080 at double scale
	field := o.log.filter
	words := fyne.MeasureText(field.PlaceHolder, theme.TextSize(), field.TextStyle)
	if room := field.Size().Width - 4*theme.InnerPadding(); words.Width > room {
		t.Errorf("%q takes %.0f of %.0f", field.PlaceHolder, words.Width, room)
	}
}
