//go:build !headless

package tray

import (
	"testing"

	"fyne.io/fyne/v2"
)

func TestTheNextWindowBeginsWhereTheLastOneWas(t *testing.T) {
	host := &hostOfTest{}
	o := openWindowOf(t, host, many(700)...)
	o.Resize(fyne.NewSize(900, 600))
	o.until("a page is listed", func() bool { return len(o.runs.activity.runs) == pageRuns })
	o.runs.list.ScrollToBottom()
	o.until("all are listed", func() bool { return len(o.runs.activity.runs) == 700 })
	o.runs.list.ScrollTo(620)
	o.runs.list.Select(600)
	o.until("it is shown", func() bool { return o.runs.detail.run.ID == "100" })
	host.kept = map[string][]byte{historyFile: encodeHistory([]string{"x = 1"})}
	o.console.code.SetText("half a line")
	o.tabs.SelectIndex(o.tabOf(o.console.content))
	before := o.view()
	if before.Top == "" {
		t.Fatalf("the list is at the top: %+v", before)
	}
	o.shell.saveView()

	next := openWindowOf(t, host, many(700)...)
	next.Resize(fyne.NewSize(900, 600))
	if got := next.view(); got.Tab != before.Tab || got.Code != "half a line" || len(next.console.history.sent) != 1 || got.Top != before.Top || got.Run != "" && got.Run != "100" {
		t.Errorf("at first it is at %+v, want %+v", got, before)
	}
	next.until("the run is shown", func() bool { return next.runs.detail.run.ID == "100" })
	next.until("the list is where it was", func() bool { return next.found == nil })
	if got := next.view(); got.Top != before.Top || got.Run != "100" {
		t.Errorf("it is at %+v, want %+v", got, before)
	}
	// Runs that have come meanwhile are above, as they would be in a window that stayed open.
	next.backend.add(succeeded("/srv/more.py"))
	next.until("another is listed", func() bool { return next.runs.activity.runs[0].ID == "701" })
	if got := next.runs.detail.run.ID; got != "100" {
		t.Errorf("run %s is shown", got)
	}
}

func TestASearchIsKept(t *testing.T) {
	host := &hostOfTest{}
	o := openWindowOf(t, host, failed("/srv/bad.py"), succeeded("/srv/bad.py"), failed("/srv/worse.py"))
	o.runs.search.SetText("bad")
	o.runs.setFilter(runFilter{Search: "bad", States: "Failed"})
	o.runs.detail.goTo(1)
	o.shell.saveView()
	next := openWindowOf(t, host, failed("/srv/bad.py"), succeeded("/srv/bad.py"), failed("/srv/worse.py"))
	next.until("the run is found", func() bool { return len(next.runs.activity.runs) == 1 && next.runs.activity.runs[0].ID == "1" })
	if next.runs.search.Text != "bad" || next.runs.filter != (runFilter{Search: "bad", States: "Failed"}) || next.runs.detail.pane() != "code" {
		t.Errorf("it searches for %q by %+v, and shows %s", next.runs.search.Text, next.runs.filter, next.runs.detail.pane())
	}
}

func TestWhatTheGalleryShowsIsKept(t *testing.T) {
	host := &hostOfTest{}
	o := openWindowOf(t, host)
	o.pictures.setFilter(pictureFilter{Search: "Light", Kind: previewShots})
	o.shell.saveView()
	next := openWindowOf(t, host)
	if got := next.pictures; got.search.Text != "Light" || got.kind.Selected != got.kind.Options[previewShots] ||
		got.gallery.text != "light" || got.gallery.kind != previewShots {
		t.Errorf("it shows %+v, with the kind %q", got.filter(), got.kind.Selected)
	}
	next.pictures.setFilter(pictureFilter{Kind: 99})
	if got := next.pictures.filter(); got != (pictureFilter{}) {
		t.Errorf("an unknown kind is read as %+v", got)
	}
}

func TestAViewThatCannotBeReadIsTheFirst(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}", `{"width":3,"height":-1}`, "null", "[]"} {
		if got := readView([]byte(text)); got.Width != 980 || got.Height != 640 {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	if got := readView([]byte(`{"width":1200,"height":700,"tab":3}`)); got.Width != 1200 || got.Tab != 3 {
		t.Errorf("it is read as %+v", got)
	}
}

func TestAWindowThatIsClosedFinishesWhatItWasAskedFor(t *testing.T) {
	o := openWindow(t)
	o.shell.busy++
	o.shell.closing = true
	o.shell.obey(order{Show: 3})
	if o.shell.closing {
		t.Error("a window that was asked for again goes on closing")
	}
	if got := o.told.last(); got != `{"shown":3}` {
		t.Errorf("it told %s", got)
	}
	o.shell.obey(order{Facts: &facts{Own: true, Note: "no icon", Trouble: "Could not open the folder: no"}})
	o.show(o.shell.now())
	if !o.shell.now().Own || o.banner.Text != "Could not open the folder: no" {
		t.Errorf("the banner says %q", o.banner.Text)
	}
	o.shell.dismiss()
	if got := o.told.last(); got != `{"read":true}` || o.shell.now().Trouble != "" {
		t.Errorf("after it was read: %s, %q", got, o.shell.now().Trouble)
	}
}

func TestAWindowThatIsClosedWaitsUntilTheEngineHasWhatWasSent(t *testing.T) {
	o := openWindow(t)
	o.until("it rests", func() bool { return o.shell.busy == 0 })
	o.console.code.SetText("pass")
	o.console.send()
	if o.shell.busy != 1 {
		t.Errorf("%d requests are under way", o.shell.busy)
	}
	o.until("the engine has it", func() bool { return o.shell.busy == 0 && len(o.runs.activity.runs) == 1 })
}
