//go:build !headless

package tray

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
)

// firstOf returns a host after a first start, and the example.
func firstOf(t *testing.T) (*hostOfTest, string) {
	t.Helper()
	example := filepath.Join(t.TempDir(), "first_light.py")
	return &hostOfTest{first: First{Example: example, Unread: true}}, example
}

func TestTheFirstPageShowsTheExampleAndGoesWithASecondScript(t *testing.T) {
	host, example := firstOf(t)
	o := openWindowOf(t, host)
	p := o.first
	if !p.shown() || o.tabs.Visible() || o.tools.Visible() || p.folder.Text != filepath.Dir(example) {
		t.Fatalf("the page is shown: %v, with %q, and the tabs: %v", p.shown(), p.folder.Text, o.tabs.Visible())
	}
	picture := filepath.Join(filepath.Dir(example), "out.png")
	f, err := os.Create(picture)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, image.NewRGBA(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	running := o.backend.add(api.Run{Script: example, State: api.Running, StartedAt: &began})
	o.until("the example is running", func() bool { return strings.Contains(p.says.Text, "has been running") })
	running.Progress = &api.Progress{Fraction: 0.25}
	o.show(State{Link: Attached, Status: o.backend.Status(), Running: []api.Run{running}})
	if !p.bar.Visible() || p.bar.Value != 0.25 {
		t.Errorf("the bar shows %v: %v", p.bar.Value, p.bar.Visible())
	}
	o.backend.add(api.Run{Script: example, State: api.Succeeded, StartedAt: &began, Seconds: 1.2, BlenderVersion: "4.5.1", Outputs: []string{"/a.blend", picture}})
	o.until("the picture is shown", func() bool { return p.picture.Image != nil })
	if p.take(running) || p.take(api.Run{ID: "0", Script: example}) {
		t.Error("an answer that is older takes the place of what is known")
	}
	for _, part := range []string{"first_light.py was saved", "Blender 4.5.1", "picture in 1.2 s"} {
		if !strings.Contains(p.says.Text, part) {
			t.Errorf("it says %q", p.says.Text)
		}
	}
	o.backend.add(api.Run{Script: "/mine.py", State: api.Queued})
	o.backend.add(api.Run{Script: "/mine.py", State: api.Running})
	o.until("the page is gone", func() bool { return !p.shown() && o.tabs.Visible() && o.tools.Visible() })
	o.until("it is noted", func() bool { return !host.First().Unread && o.shell.busy == 0 })
	if p.picture.Image != nil {
		t.Error("the picture stays in memory")
	}
}

func TestTheFirstPageIsReadAndShownAgain(t *testing.T) {
	host, _ := firstOf(t)
	o := openWindowOf(t, host)
	test.Tap(o.first.on)
	if o.first.shown() || !o.tabs.Visible() {
		t.Error("the page stays")
	}
	o.until("it is noted", func() bool { return !host.First().Unread && o.shell.busy == 0 })
	o.about()
	test.Tap(o.dialogButtons()["Show the first page"])
	if !o.first.shown() || o.tabs.Visible() || o.covered() {
		t.Error("the page is not shown again")
	}
	// What was asked for stays when other scripts run, and a key goes on to a tab.
	o.backend.add(api.Run{Script: "/mine.py", State: api.Running})
	o.until("the run is heard", func() bool { return len(o.runs.activity.runs) == 1 })
	if !o.first.shown() {
		t.Error("the page goes by itself")
	}
	for _, s := range o.shortcuts() {
		if s.key == fyne.Key4 {
			o.run(s)
		}
	}
	if o.first.shown() || o.tabs.SelectedIndex() != 3 {
		t.Error("the key leads nowhere")
	}
	if next := openWindowOf(t, host); next.first.shown() {
		t.Error("the next window shows the page again")
	}
}

func TestWithoutABlenderTheFirstPageSaysHowToInstallOneAndGoesOn(t *testing.T) {
	host, _ := firstOf(t)
	host.noneOf.Store(true)
	o := openWindowOf(t, host)
	st := State{Link: Attached, Status: api.Status{Blenders: []api.BlenderStatus{{State: api.BlenderFailed, Reason: "no Blender was found"}}}}
	o.shell.changed(st)
	o.show(st)
	if !strings.Contains(o.first.says.Text, "no Blender on this machine") || len(o.first.ways.Objects) == 0 || o.bannerBox.Visible() {
		t.Errorf("it says %q, and the banner %q", o.first.says.Text, o.banner.Text)
	}
	links := 0
	for _, part := range test.LaidOutObjects(o.first.ways) {
		if l, ok := part.(*widget.Hyperlink); ok && l.Text != "" {
			links++
		}
	}
	if links != 1 {
		t.Errorf("%d links lead to a Blender", links)
	}
	host.noneOf.Store(false)
	o.until("Blender is started", func() bool { return o.backend.started.Load() > 0 })
	st.Status.Blenders[0] = api.BlenderStatus{State: api.BlenderStarting}
	o.show(st)
	if len(o.first.ways.Objects) != 0 || !strings.Contains(o.first.says.Text, "starting") {
		t.Errorf("while it starts, it says %q", o.first.says.Text)
	}
	// Another reason is said as it is.
	st.Status.Blenders[0] = api.BlenderStatus{State: api.BlenderFailed, Reason: "it needs a library"}
	o.show(st)
	if !strings.Contains(o.first.says.Text, "it needs a library") {
		t.Errorf("it says %q", o.first.says.Text)
	}
}

func TestABlenderThatCantStartIsStartedAgainWhenAProgramHasCome(t *testing.T) {
	host, _ := firstOf(t)
	host.paths = []string{"/opt/blender"}
	o := openWindowOf(t, host)
	o.first.pause = 10 * time.Millisecond
	st := State{Link: Attached, Status: api.Status{Blenders: []api.BlenderStatus{{State: api.BlenderFailed, Reason: "it needs a library"}}}}
	o.shell.mu.Lock()
	o.shell.trouble = "the file could not be opened"
	o.shell.mu.Unlock()
	o.shell.changed(st)
	o.show(st)
	looked := func() int {
		host.mu.Lock()
		defer host.mu.Unlock()
		return host.looked
	}
	o.until("somebody has looked twice", func() bool { return looked() >= 2 })
	if host.found.Load() != 0 || o.backend.started.Load() != 0 {
		t.Errorf("all Blenders were started %d times, and Blender %d times", host.found.Load(), o.backend.started.Load())
	}
	host.mu.Lock()
	host.paths = append(host.paths, "/opt/new/blender")
	host.mu.Unlock()
	o.until("Blender is started", func() bool { return o.backend.started.Load() > 0 })
	o.shell.mu.Lock()
	defer o.shell.mu.Unlock()
	if o.shell.trouble == "" {
		t.Error("what was said in the banner is gone")
	}
}

func TestOnlyAFirstStartShowsTheFirstPage(t *testing.T) {
	o := openWindow(t)
	if o.first.shown() || !o.tabs.Visible() {
		t.Error("the page is shown")
	}
	host, _ := firstOf(t)
	o = openWindowOf(t, host, succeeded("/srv/a.py")) // a script has run while no window was there
	o.until("the page is gone", func() bool { return !o.first.shown() })
}

func TestAboutSaysWhatTheProgramIsAndCopiesAReport(t *testing.T) {
	o := openWindow(t)
	o.about()
	for _, text := range []string{"Blendtray 1.2.3", "Commit abc", "Fyne", "GPL", "/settings.toml"} {
		if !o.dialogSays(text) {
			t.Errorf("nothing says %q", text)
		}
	}
	test.Tap(o.dialogButtons()["Copy all for a bug report"])
	o.until("it is copied", func() bool { return o.shell.app.Clipboard().Content() == "right  everything" })
	if o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyEscape}); o.covered() {
		t.Error("Escape does not close it")
	}
}

func TestTheFirstPageNamesThePackageOfSignsThatNoFontHas(t *testing.T) {
	host, example := firstOf(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(example), "场景.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	host.first.Unread = false
	o := openWindowOf(t, host)
	o.shell.cfg.Fonts = func() (func(rune) bool, error) { return func(r rune) bool { return r < 0x3000 }, nil }
	o.first.open()
	o.until("the page names what is missing", func() bool {
		return o.first.fonts.Visible() && strings.Contains(o.first.fonts.Text, "Chinese") && strings.Contains(o.first.fonts.Text, "install")
	})
}
