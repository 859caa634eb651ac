//go:build !headless

package tray

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// queueOfTest is what waits in a backend, and what was asked about that.
type queueOfTest struct {
	runs  []api.QueuedRun
	total int // 0 is as many as there are
	asked []string
	usage api.Usage
}

func (b *backend) Queue(n int) ([]api.QueuedRun, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.waits.runs[:min(n, len(b.waits.runs))]), max(b.waits.total, len(b.waits.runs))
}

func (b *backend) MoveFirst(_ context.Context, id string, of api.Front) (api.Run, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits.asked = append(b.waits.asked, string(of)+" "+id)
	return api.Run{ID: id}, nil
}

func (b *backend) CancelLine(_ context.Context, of api.QueueLine) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits.asked = append(b.waits.asked, "cancel "+of.LineKind+" "+of.Line)
	return 1, nil
}

func (b *backend) Usage(time.Time) api.Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waits.usage
}

// wait puts runs into the queue of a backend.
func (b *backend) wait(runs []api.QueuedRun, total int) {
	b.mu.Lock()
	b.waits.runs, b.waits.total = runs, total
	b.mu.Unlock()
}

// requests returns what was asked about the queue.
func (b *backend) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.waits.asked)
}

// waitingRun returns a run that waits.
func waitingRun(id int, folder string) api.QueuedRun {
	return api.QueuedRun{
		Position: id, Line: folder, LineKind: "folder", Reason: api.WaitsForPlace, Why: "it must",
		Run: api.Run{ID: strconv.Itoa(id), Script: fmt.Sprintf("%s/s%d.py", folder, id), State: api.Queued, QueuedAt: time.Now()},
	}
}

// waitingFrom returns runs that wait, with ids from first on.
func waitingFrom(first, n int) (all []api.QueuedRun) {
	for i := range n {
		all = append(all, waitingRun(first+i, fmt.Sprintf("/srv/f%d", i%2)))
	}
	return all
}

func TestWhyARunWaits(t *testing.T) {
	names := map[string]string{"7": "town.py"}
	for _, x := range []struct {
		reason       api.QueueReason
		behind, want string
	}{
		{api.WaitsForTurn, "7", "its turn comes after town.py"},
		{api.WaitsForTurn, "8", "its turn comes after run 8"},
		{api.WaitsForStart, "", "its Blender starts"},
		{api.WaitsForSession, "7", "the session is busy with town.py"},
		{api.WaitsForState, "7", "the Blender whose state it needs is busy with town.py"},
		{api.WaitsForScript, "7", "the same script is running"},
		{api.WaitsForPlace, "", "no more runs may be running at the same time"},
		{api.WaitsForFree, "", "every Blender for it is busy"},
		{api.WaitsForNothing, "", "it is about to start"},
		{api.WaitsForBlender, "", "Blender is stopped"},
		{api.WaitsForEngine, "", "Blender is stopped"},
		{"of a newer engine", "", "Blender is stopped"},
	} {
		if got := waitsWhy(api.QueuedRun{Reason: x.reason, Behind: x.behind, Why: "Blender is stopped"}, names); got != x.want {
			t.Errorf("%s behind %q: %q", x.reason, x.behind, got)
		}
	}
}

func TestWhatAProcessDoes(t *testing.T) {
	now := time.Now()
	began := now.Add(-12 * time.Second)
	run := &api.Run{ID: "7", Script: "/srv/town.py", State: api.Running, StartedAt: &began, Progress: &api.Progress{Fraction: 0.4}}
	for _, x := range []struct {
		p    api.ProcessStatus
		run  *api.Run
		want string
	}{
		{api.ProcessStatus{State: api.BlenderStarting}, nil, "starting"},
		{api.ProcessStatus{State: api.BlenderStopping, Session: "chair"}, nil, "session chair · stopping"},
		{api.ProcessStatus{State: api.BlenderRunning, Run: "7"}, run, "running town.py for 12 s · 40 %"},
		{api.ProcessStatus{State: api.BlenderRunning, Run: "7", Session: "chair"}, run, "session chair · running town.py for 12 s · 40 %"},
		{api.ProcessStatus{State: api.BlenderRunning, Run: "7"}, nil, "running run 7"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "session", Session: "chair"}, nil, "session chair · idle"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "waiting"}, nil, "waiting for the next run, with nothing run in it"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "waiting", Scene: "/a/town.blend"}, nil, "waiting for the next run, with town.blend open"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "left", Left: "3"}, nil, "idle, with what run 3 left"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "keep"}, nil, "idle; it keeps its state from run to run"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "open"}, nil, "idle; a person has it open"},
		{api.ProcessStatus{State: api.BlenderReady, Use: "of a newer engine"}, nil, "idle"},
	} {
		if got := processUse(x.p, x.run, now); got != x.want {
			t.Errorf("%+v: %q, want %q", x.p, got, x.want)
		}
	}
	for _, x := range []struct {
		b    api.BlenderStatus
		want string
	}{
		{api.BlenderStatus{State: api.BlenderStopped, Resting: true}, "resting; it starts when a run asks for it"},
		{api.BlenderStatus{State: api.BlenderFailed, Reason: "no file\nmore"}, "it can't start: no file"},
		{api.BlenderStatus{State: api.BlenderStarting, Source: api.SourceOpen}, "waiting until a person opens it"},
		{api.BlenderStatus{State: api.BlenderStopped}, "stopped"},
	} {
		if got := restingUse(x.b); got != x.want {
			t.Errorf("%+v: %q", x.b, got)
		}
	}
}

func TestThePointsOfAGraph(t *testing.T) {
	now := time.Now()
	sample := func(before time.Duration, cores float64) api.UsageSample {
		return api.UsageSample{At: now.Add(-before), CPUCores: cores}
	}
	none := float64(noValue)
	minute := time.Minute
	for _, x := range []struct {
		name    string
		samples []api.UsageSample
		want    []float64 // one a minute
	}{
		{"nothing", nil, []float64{none, none, none, none, none}},
		{"one a moment ago", []api.UsageSample{sample(time.Second, 2)}, []float64{none, none, none, none, 2}},
		{"one of a process that is gone", []api.UsageSample{sample(90*time.Second, 2)}, []float64{none, none, none, 2, none}},
		{"the highest counts", []api.UsageSample{sample(50*time.Second, 1), sample(40*time.Second, 3), sample(30*time.Second, 2)}, []float64{none, none, none, none, 3}},
		{"a sample stands for the time before", []api.UsageSample{sample(100*time.Second, 1), sample(45*time.Second, 2)}, []float64{none, none, none, 1, 2}},
		{"but for no long gap", []api.UsageSample{sample(4*minute+30*time.Second, 1), sample(time.Second, 2)}, []float64{1, none, none, none, 2}},
		{"what is too old is left out", []api.UsageSample{sample(6*minute, 9), sample(time.Second, 2)}, []float64{none, none, none, none, 2}},
		{"a clock that was set back", []api.UsageSample{sample(-time.Minute, 7)}, []float64{none, none, none, none, none}},
	} {
		if got := graphPoints(x.samples, now, 5, coresOf); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
	if got := graphPoints(nil, now, 0, coresOf); len(got) != 0 {
		t.Errorf("no column: %v", got)
	}
	if top([]float64{none, 0.5}, 1) != 1 || top([]float64{2}, 1) != 2.2 {
		t.Error("the upper edge is not a little above the highest point")
	}
}

func TestAGraphIsDrawnFromTheLowerEdge(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 4, 11))
	line, back := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}
	drawGraph(picture, []float64{noValue, 0, 1, 0.5}, 1, line, back)
	for x, want := range []int{-1, 10, 0, 0} { // a step is joined by a line
		y := -1
		for at := 10; at >= 0; at-- {
			if picture.RGBAAt(x, at) == line {
				y = at
			}
		}
		if y != want {
			t.Errorf("column %d begins at %d, want %d", x, y, want)
		}
	}
}

func TestWhatTheWindowKeepsOfUsage(t *testing.T) {
	now := time.Now()
	one := func(after time.Duration) []api.UsageSample { return []api.UsageSample{{At: now.Add(after)}} }
	u := &usageKept{}
	u.add(api.Usage{Engine: one(0), Processes: []api.ProcessUsage{{PID: 1, Samples: one(0)}, {PID: 2, Samples: one(0)}}})
	u.add(api.Usage{Engine: one(time.Second), Processes: []api.ProcessUsage{
		{PID: 1, Ended: true}, {PID: 2, Samples: one(time.Second)}, {PID: 1, SeenAt: now, Samples: one(time.Second)},
	}})
	if len(u.samplesOf(1)) != 1 || len(u.processes[0].Samples) != 1 {
		t.Errorf("two had the same id: %+v", u.processes)
	}
	if len(u.engine) != 2 || !u.at.Equal(now.Add(time.Second)) {
		t.Errorf("of the engine: %+v until %s", u.engine, u.at)
	}
	if len(u.samplesOf(2)) != 2 || len(u.samplesOf(1)) != 1 || u.samplesOf(3) != nil {
		t.Errorf("of the processes: %+v", u.processes)
	}
	u.add(api.Usage{Processes: []api.ProcessUsage{{PID: 2, Samples: one(time.Hour)}}})
	if len(u.samplesOf(2)) != 1 || len(u.processes) != 1 {
		t.Errorf("an hour later: %+v", u.processes)
	}
}

func TestTheLinesInSightStay(t *testing.T) {
	of := func(ids ...int) (all []api.QueuedRun) {
		for _, id := range ids {
			all = append(all, waitingRun(id, "/srv"))
		}
		return all
	}
	for _, x := range []struct {
		name        string
		before, now []api.QueuedRun
		top, want   int
	}{
		{"nothing has changed", of(1, 2, 3), of(1, 2, 3), 1, 0},
		{"one above has begun", of(1, 2, 3), of(2, 3), 1, -1},
		{"one was put ahead", of(1, 2, 3), of(3, 1, 2), 1, 1},
		{"the first in sight has begun", of(1, 2, 3, 4), of(1, 3, 4), 1, -1},
		{"all are others", of(1, 2), of(7, 8, 9), 1, 0},
		{"nothing", nil, nil, 0, 0},
	} {
		if got := moved(x.before, x.now, x.top); got != x.want {
			t.Errorf("%s: %d, want %d", x.name, got, x.want)
		}
	}
}

// openQueue opens a window at the tab Queue.
func openQueue(t *testing.T, runs []api.QueuedRun, total int) *open {
	t.Helper()
	o := openWindow(t)
	o.backend.wait(runs, total)
	o.Resize(fyne.NewSize(1000, 700))
	o.tabs.SelectIndex(o.tabOf(o.queue.content))
	o.until("the engine was asked", func() bool { return o.queue.asked && len(o.queue.waiting.runs) == len(runs) })
	return o
}

func TestTheQueueIsListedWithWhatIsBeyondTheBound(t *testing.T) {
	o := openQueue(t, waitingFrom(1, 1000), 5211)
	q := o.queue
	if want := "5,211 runs wait · the first 1,000 are listed, and 4,211 more wait"; q.count.Text != want {
		t.Errorf("it says %q", q.count.Text)
	}
	if q.empty.Text != "" || !q.next.Disabled() || !q.cancelLine.Disabled() {
		t.Errorf("%q, and buttons work on nothing", q.empty.Text)
	}
	o.backend.wait(nil, 0)
	q.heard()
	o.until("nothing waits", func() bool { return len(q.waiting.runs) == 0 })
	if !strings.HasPrefix(q.empty.Text, "No run waits.") {
		t.Errorf("the empty list says %q", q.empty.Text)
	}
}

func TestAnEmptyQueueSaysWhy(t *testing.T) {
	o := openQueue(t, waitingFrom(1, 3), 3)
	lost := o.shell.now()
	lost.Link = Lost
	o.queue.show(lost)
	if len(o.queue.waiting.runs) != 0 || !strings.Contains(o.queue.empty.Text, "engine has ended") || !o.queue.idle.Visible() {
		t.Errorf("without an engine: %q, %q", o.queue.empty.Text, o.queue.idle.Text)
	}
	o.queue.show(o.shell.now())
	o.until("they are listed again", func() bool { return len(o.queue.waiting.runs) == 3 })
}

func TestRowsKeepTheirPlaceAndWhatIsChosen(t *testing.T) {
	o := openQueue(t, waitingFrom(1, 200), 200)
	q := o.queue
	o.Canvas().Capture()
	q.list.ScrollTo(100)
	q.list.Select(101)
	q.mark("103", true)
	height, at := q.lineHeight(), q.list.GetScrollOffset()
	if at == 0 || q.waiting.chosen != "102" {
		t.Fatalf("it is at %f, and %q is chosen", at, q.waiting.chosen)
	}
	// Ten have begun, and one was put ahead.
	o.backend.wait(append([]api.QueuedRun{waitingRun(500, "/srv/f0")}, waitingFrom(11, 190)...), 191)
	q.heard()
	o.until("they are gone", func() bool { return len(q.waiting.runs) == 191 })
	if got := q.list.GetScrollOffset(); got < at-9*height-1 || got > at-9*height+1 {
		t.Errorf("it is at %f, want %f", got, at-9*height)
	}
	if q.waiting.chosen != "102" || !slices.Equal(q.waiting.targets(), []string{"103"}) {
		t.Errorf("%q is chosen, and %q are meant", q.waiting.chosen, q.waiting.targets())
	}
	// What has begun is neither chosen nor marked any more.
	o.backend.wait(waitingFrom(150, 20), 20)
	q.heard()
	o.until("they are gone", func() bool { return len(q.waiting.runs) == 20 })
	if q.waiting.chosen != "" || len(q.waiting.targets()) != 0 || !q.cancel.Disabled() {
		t.Errorf("%q is chosen", q.waiting.chosen)
	}
}

func TestTheButtonsOfTheQueue(t *testing.T) {
	o := openQueue(t, waitingFrom(1, 6), 6)
	q := o.queue
	asked := func(want ...string) {
		t.Helper()
		o.until("it was asked", func() bool { return len(o.backend.requests()) >= len(want) })
		if got := o.backend.requests(); !slices.Equal(got, want) {
			t.Errorf("asked were %q, want %q", got, want)
		}
		o.backend.mu.Lock()
		o.backend.waits.asked = nil
		o.backend.mu.Unlock()
	}
	q.list.Select(1)
	test.Tap(q.up)
	asked("line 2")
	for _, id := range []int{1, 3} {
		q.step(-100)
		for range id - 1 {
			q.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		}
		q.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	}
	if !strings.HasSuffix(q.count.Text, "2 marked") || q.cancelLine.Disabled() {
		t.Errorf("it says %q", q.count.Text)
	}
	test.Tap(q.next)
	asked("all 3", "all 1") // the last that is put ahead begins first
	q.mark("2", true)
	if !q.cancelLine.Disabled() {
		t.Error("runs of two folders are cancelled as one")
	}
	q.mark("2", false)
	test.Tap(q.cancelLine)
	if o.Canvas().Overlays().Top() == nil {
		t.Fatal("nobody is asked")
	}
	o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	asked("cancel folder /srv/f0")
}

// Runs begin while a question about them is open, and the cursor stands on another run.
func TestTheRunsOfTheQuestionAreCancelledAndNoOthers(t *testing.T) {
	o := openQueue(t, waitingFrom(1, 6), 6)
	q := o.queue
	for _, key := range []fyne.KeyName{fyne.KeyLeft, fyne.KeyBackspace, fyne.KeyHome} { // those that the list of runs has
		q.list.TypedKey(&fyne.KeyEvent{Name: key})
	}
	q.list.Select(4)
	q.mark("1", true)
	q.mark("2", true)
	test.Tap(q.cancel)
	if o.Canvas().Overlays().Top() == nil {
		t.Fatal("nobody is asked")
	}
	q.take(waitingFrom(3, 4), 4)
	o.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: fyne.KeyReturn})
	o.until("they are cancelled", func() bool { return len(o.backend.requests()) == 2 })
	if got := o.backend.requests(); !slices.Equal(got, []string{"cancel 2", "cancel 1"}) {
		t.Errorf("%q", got)
	}
}
