//go:build !headless

package tray

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fyne.io/fyne/v2"

	"blendtray/api"
)

func TestASearchAfterScrollingShowsWhatThereIs(t *testing.T) {
	var runs []api.Run
	for n := range 120 {
		runs = append(runs, api.Run{Script: fmt.Sprintf("/srv/%d.py", n), State: api.Succeeded})
	}
	o := openWindow(t, runs...)
	o.Resize(fyne.NewSize(900, 600))
	o.until("the runs are there", func() bool { return len(o.runs.activity.runs) == 120 })
	o.runs.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	if o.runs.list.GetScrollOffset() == 0 {
		t.Fatal("End does not scroll")
	}
	o.runs.search.SetText("11")
	o.until("the found runs are in sight", func() bool { return len(o.runs.activity.runs) == 11 && o.linesInSight() == 11 })
	o.runs.search.SetText("no such name")
	if words := o.runs.empty.Text; words == "" {
		t.Error("the list is empty, and nothing says why")
	}
	o.until("it is told that nothing matches", func() bool { return o.runs.empty.Text == "No run matches: “no such name”." })
}

// linesInSight returns how many lines of the list of runs are wholly in sight, as Fyne places them.
func (o *open) linesInSight() int {
	list := o.runs.list
	offset, height, line := list.GetScrollOffset(), list.Size().Height, o.runs.lineHeight()
	n := 0
	for i := range o.runs.activity.runs {
		if top := float32(i) * line; top >= offset-1 && top+line <= offset+height+line/2 {
			n++
		}
	}
	return n
}

// Whatever the order of scrolling, filtering, and runs that come and end, the list has what the
// engine has, from the newest on, and shows lines of it, or says why there is none.
func TestTheListAgreesWithTheEngine(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 2))
		var runs []api.Run
		states := []api.State{api.Succeeded, api.Failed, api.Running, api.Queued, api.Cancelled}
		for n := range 1300 {
			runs = append(runs, api.Run{Script: fmt.Sprintf("/srv/%d.py", n%97), State: states[r.IntN(len(states))]})
		}
		o := openWindow(t, runs...)
		o.Resize(fyne.NewSize(900, 600))
		for range 60 {
			switch r.IntN(7) {
			case 0:
				o.runs.list.ScrollToBottom()
			case 1:
				o.runs.list.ScrollToOffset(float32(r.IntN(40_000)))
			case 2:
				o.runs.search.SetText([]string{"", "", "1", "13", "none"}[r.IntN(5)])
			case 3:
				filter := o.runs.filter
				filter.States = []string{"", "Succeeded", "Failed", "Waiting and running", "Cancelled"}[r.IntN(5)]
				filter.Script = []string{"", "", "", "/srv/7.py"}[r.IntN(4)]
				o.runs.setFilter(filter)
			case 4:
				o.backend.add(api.Run{Script: fmt.Sprintf("/srv/%d.py", r.IntN(97)), State: api.Queued})
			case 5:
				o.backend.mu.Lock()
				id := o.backend.runs[r.IntN(len(o.backend.runs))].ID
				o.backend.mu.Unlock()
				o.backend.ends(id, []api.State{api.Succeeded, api.Failed, api.Running}[r.IntN(3)])
			case 6:
				for range min(len(o.calls), 1+r.IntN(3)) {
					(<-o.calls)()
				}
			}
		}
		o.until(fmt.Sprintf("the list of seed %d agrees with the engine", seed), func() bool { return !o.runs.loading && o.agrees() == "" })
		if o.agrees() != "" {
			t.Error(o.agrees())
		}
	}
}

// agrees says where the list is not what the engine has, or "".
func (o *open) agrees() string {
	a := &o.runs.activity
	var want []string
	o.backend.mu.Lock()
	for i := len(o.backend.runs) - 1; i >= 0; i-- {
		if r := o.backend.runs[i]; a.fits(r) {
			want = append(want, r.ID+" "+string(r.State))
		}
	}
	o.backend.mu.Unlock()
	var got []string
	for _, r := range a.runs {
		got = append(got, r.ID+" "+string(r.State))
	}
	switch {
	case a.complete && len(got) != len(want), len(got) > len(want):
		return fmt.Sprintf("%d runs are listed, want %d", len(got), len(want))
	case strings.Join(got, "\n") != strings.Join(want[:len(got)], "\n"):
		return "other runs are listed"
	case len(got) == 0 && (len(want) > 0 || o.runs.empty.Text == ""):
		return fmt.Sprintf("nothing is listed of %d, and it says %q", len(want), o.runs.empty.Text)
	case len(got) > 0 && (o.runs.empty.Text != "" || o.linesInSight() == 0):
		return fmt.Sprintf("of %d runs none is in sight at %v, and it says %q", len(got), o.runs.list.GetScrollOffset(), o.runs.empty.Text)
	}
	return ""
}

func TestDeletedRunsLeaveTheList(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"), succeeded("/srv/b.py"))
	o.until("the runs are there", func() bool { return len(o.runs.activity.runs) == 2 })
	b := o.backend
	b.mu.Lock()
	b.runs = b.runs[1:]
	for _, s := range b.subs {
		s.ch <- api.Event{Kind: api.KindHistory}
	}
	b.mu.Unlock()
	o.until("the deleted run has left the list", func() bool { return len(o.runs.activity.runs) == 1 })
}

// An event that says how a run has ended may be lost.
func TestTheListTellsTheDetailsWhatHasBecomeOfARun(t *testing.T) {
	o := openWindow(t)
	r := o.backend.add(api.Run{Script: "/srv/live.py", State: api.Running})
	o.until("the run is shown", func() bool { return o.runs.detail.run.ID == r.ID })
	b := o.backend
	b.mu.Lock()
	b.runs[0].State = api.Interrupted
	for _, s := range b.subs {
		s.ch <- api.Event{Kind: api.KindGap}
	}
	b.mu.Unlock()
	o.until("the details say so", func() bool { return strings.Contains(o.runs.detail.title.Text, "interrupted") })
}

// Events wait a moment before they are shown, so that they may be older than what the engine has been asked for after
// a gap.
func TestAnEventFromBeforeAGapDoesNotUndoWhatTheEngineSaysAfterIt(t *testing.T) {
	o := openWindow(t)
	r := o.backend.add(api.Run{Script: "/srv/live.py", State: api.Running})
	o.until("the run is shown", func() bool { return o.runs.detail.run.ID == r.ID })
	o.backend.mu.Lock()
	o.backend.runs[0].State = api.Interrupted
	o.backend.mu.Unlock()
	w := o.runs.window
	w.heard(api.Event{Kind: api.KindRun, ID: r.ID, Run: &r})
	w.heard(api.Event{Kind: api.KindGap})
	o.until("the details say so", func() bool { return strings.Contains(o.runs.detail.title.Text, "interrupted") })
	o.runs.showQueued() // which is due a moment after the event
	if text := o.runs.detail.title.Text; !strings.Contains(text, "interrupted") {
		t.Errorf("the details say %q", text)
	}
	if o.runs.activity.runs[0].State != api.Interrupted {
		t.Errorf("the list says %s", o.runs.activity.runs[0].State)
	}
}

// What a run waits for changes with its Blender, and only the Blender is an event of all runs then.
func TestTheDetailsSayWhatARunWaitsForNow(t *testing.T) {
	o := openWindow(t)
	b, d := o.backend, o.runs.detail
	becomes := func(reason string, state api.BlenderState) {
		b.mu.Lock()
		for i := range b.runs {
			b.runs[i].Reason = reason
		}
		b.mu.Unlock()
		b.publish(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: state}})
	}
	b.add(api.Run{Script: "/srv/a.py", State: api.Queued, Reason: "Blender is starting"})
	b.add(api.Run{Script: "/srv/b.py", State: api.Queued, Reason: "Blender is starting"})
	o.until("the newest run is shown", func() bool { return d.run.ID == "2" && d.cause.Text == "Blender is starting" })
	becomes("Blender has failed (there is none): mend that", api.BlenderFailed)
	o.until("the details say that it has failed", func() bool { return strings.Contains(d.cause.Text, "has failed") })
	o.runs.list.Select(1)
	o.until("so say those of another run", func() bool { return d.run.ID == "1" && strings.Contains(d.cause.Text, "has failed") })
	becomes("", api.BlenderReady)
	o.until("the details say nothing while the run waits for its turn", func() bool { return !d.cause.Visible() })
	b.change("1", func(r *api.Run) { r.State = api.Running })
	o.until("the run begins", func() bool { return strings.Contains(d.title.Text, "running") })
}

func TestWhereTheRunOfTheLastWindowIsGoneTheNewestIsShown(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"))
	o.until("the runs are there", func() bool { return len(o.runs.activity.runs) == 1 })
	o.runs.picked = true
	o.runs.detail.set(api.Run{})
	o.runs.reopen("999")
	o.until("the newest is shown", func() bool { return o.runs.detail.run.Script == "/srv/a.py" })
	if o.Canvas().Overlays().Top() != nil {
		t.Error("a dialog complains")
	}
}
