//go:build !headless

package tray

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"blendtray/api"
	"blendtray/assets"
)

// farmRun is a run of a folder of the farm, which a machine has begun or not.
func farmRun(id string, begun bool) api.Run {
	r := api.Run{ID: id, Script: "/farm/far.py", State: api.Running, Blender: "farm"}
	if begun {
		began := now.Add(-70 * time.Second)
		r.StartedAt = &began
	}
	return r
}

// onFarm adds runs on the farm to a state.
func onFarm(runs ...api.Run) func(*State) {
	return func(s *State) {
		s.Running = append(s.Running, runs...)
		s.Status.Blenders = append(s.Status.Blenders, api.BlenderStatus{Name: "farm", Kind: api.BlenderFarm, State: api.BlenderReady})
	}
}

func TestARunThatNoMachineHasBegunWaits(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]State{
		"turntable.py · 1:10 · 1 waiting for the farm":   attached(api.BlenderRunning, running(nil), onFarm(farmRun("8", false))),
		"Blender 4.5.1 · ready · 2 waiting for the farm": attached(api.BlenderReady, onFarm(farmRun("8", false), farmRun("9", false))),
		"Blender 4.5.1 · ready · 3 waiting":              attached(api.BlenderReady, onFarm(farmRun("8", false)), func(s *State) { s.Status.Queued = 2 }),
		"far.py · 1:10 · 1 more running · 1 waiting":     attached(api.BlenderRunning, running(nil), onFarm(farmRun("8", true)), func(s *State) { s.Status.Queued = 1 }),
	} {
		if got := headline(s, now); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	waits := attached(api.BlenderReady, onFarm(farmRun("8", false)))
	if find(t, Menu(waits, now), CancelRun).Enabled || IconOf(waits) != assets.Ready {
		t.Error("a run that no machine has begun is shown as running")
	}
	if got := runLine(farmRun("8", false), now); got != "… far.py · waiting for a machine of the farm" {
		t.Errorf("the menu says %q", got)
	}
	if got := runLine(farmRun("8", true), now); got != "▶ far.py" {
		t.Errorf("of a run that a machine has begun the menu says %q", got)
	}
	if got := titleOf(farmRun("8", false), now); got != "far.py · waiting for a machine of the farm" {
		t.Errorf("the head of the run says %q", got)
	}
}

func TestWhatTheMachinesOfTheFarmDo(t *testing.T) {
	t.Parallel()
	ready := api.BlenderStatus{Name: "farm", Kind: api.BlenderFarm, State: api.BlenderReady}
	version, gone, stopped := ready, ready, ready
	version.Name = "farm-4.5"
	gone.Reason = "`blendtray farm join`\nmore"
	stopped.State = api.BlenderStopped
	for _, c := range []struct {
		b           api.BlenderStatus
		runs        []api.Run
		title, does string
	}{
		{ready, nil, "Machines of the farm", "no run of this machine is there"},
		{ready, []api.Run{farmRun("1", true), farmRun("2", false), farmRun("3", false), {ID: "4", State: api.Running}}, "Machines of the farm", "1 run is running · 2 wait for a machine"},
		{version, []api.Run{farmRun("1", true)}, "Machines of the farm · Blender 4.5", "no run of this machine is there"},
		{gone, []api.Run{farmRun("1", true), farmRun("2", true)}, "Machines of the farm", "2 runs are running · “blendtray farm join”"},
		{stopped, nil, "Machines of the farm", "stopped; blendtray start farm sends runs there again"},
	} {
		lines := processLines(State{Link: Attached, Running: c.runs, Status: api.Status{Blenders: []api.BlenderStatus{c.b}}}, now)
		if got := lines[0]; got.title != c.title || got.use != c.does || got.pid != 0 {
			t.Errorf("%q does %q, want %q and %q", got.title, got.use, c.title, c.does)
		}
	}
}

func TestTheFarmKeepsItsRunsWhenBlenderStops(t *testing.T) {
	t.Parallel()
	far := onFarm(farmRun("8", true), farmRun("9", false))
	if got := endsRuns(attached(api.BlenderReady, far)); got != "" {
		t.Errorf("of runs on the farm it says %q", got)
	}
	if got := endsRuns(attached(api.BlenderRunning, far, running(nil))); got != "turntable.py is running. This ends the run." {
		t.Errorf("it says %q", got)
	}
	quits := false
	s := newIndicator(context.Background(), func() { quits = true }, Config{Own: func() bool { return true }})
	s.state = attached(api.BlenderReady, far)
	if s.clicked(Item{Do: Quit}); !quits {
		t.Error("it asks before it quits, although the runs go on")
	}
}

func TestTheDetailsOfARunOnTheFarm(t *testing.T) {
	t.Parallel()
	r := farmRun("8", true)
	r.BlenderVersion, r.Source = "4.5.1", api.FromFolder
	text := factsText(factsOf(r))
	for _, want := range []string{"4.5.1 · on a machine of the farm\n", "a save in a watched folder\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Name of the Blender") {
		t.Errorf("the machines have the name of a Blender:\n%s", text)
	}
	if got := aboutOf(r, now); !strings.HasSuffix(got, "Blender 4.5.1 · on the farm") {
		t.Errorf("the head says %q", got)
	}
	r.BlenderVersion = ""
	if got := aboutOf(r, now); !strings.HasSuffix(got, "· on the farm") || strings.Contains(got, "Blender") {
		t.Errorf("the head says %q", got)
	}
}

func TestRunsForTheFarmAreCounted(t *testing.T) {
	t.Parallel()
	s := State{Status: api.Status{Running: 3, Queued: 1, OnFarm: 2}, Running: []api.Run{farmRun("8", false)}}
	if got := runsWords(s); got != "2 running, 2 waiting · 2 of them for the farm" {
		t.Errorf("it says %q", got)
	}
	if got := runsWords(State{Status: api.Status{Running: 1}}); got != "1 running, 0 waiting" {
		t.Errorf("without a farm it says %q", got)
	}
}

func TestAScriptInTheFolderOfAJobHasAShortName(t *testing.T) {
	t.Parallel()
	l := &scriptList{twice: map[string]bool{"far.py": true}}
	s := api.ScriptRuns{Script: "/cache/trees/bd94155c8b468745f793ad04dae5548d70a1bb4d109eff087c44dfe9cc5cccbc/far.py", Runs: 1}
	if got := l.nameOf(s); got != "bd94155c…/far.py (1)" {
		t.Errorf("it is called %q", got)
	}
}

func TestTheMachinesOfTheFarmTakeNoPlaceOfABlender(t *testing.T) {
	t.Parallel()
	f := &Follower{Changed: func(State) {}}
	f.state = attached(api.BlenderReady)
	f.state.Status.Blenders[0].Name = api.DefaultBlender
	f.handle(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{Name: "farm", Kind: api.BlenderFarm, State: api.BlenderReady}})
	if got := f.state.blender().Name; got != api.DefaultBlender {
		t.Errorf("the Blender of the menu is %q", got)
	}
}

func TestTheQueueMakesRoomForItsAgents(t *testing.T) {
	o := openWindow(t)
	o.Resize(fyne.NewSize(1000, 700))
	q := o.queue
	o.selectTab(q.content)
	s := State{Link: Attached, Status: api.Status{Agents: []api.Agent{{ID: "a", Name: "robot", Since: time.Now()}}}}
	for _, pid := range []int{4711, 4712, 4713} {
		s.Status.Processes = append(s.Status.Processes, api.ProcessStatus{Blender: "default", PID: pid, State: api.BlenderReady, Use: "waiting"})
	}
	s.Status.Blenders = []api.BlenderStatus{{Name: "default", State: api.BlenderReady}, {Name: "farm", Kind: api.BlenderFarm, State: api.BlenderReady}}
	q.show(s)
	if room, want := q.split.Leading.Size().Height, q.above.MinSize().Height; room < want {
		t.Errorf("Blenders and agents have a height of %.0f, and need %.0f", room, want)
	}
	// The words of a line without graphs stand below the others.
	first, far := q.rows["process 4711"], q.rows["blender farm"]
	if a, b := first.use.Position().X, far.use.Position().X; a < b-1 || a > b+1 {
		t.Errorf("what a Blender does begins at %.0f, and what the farm does at %.0f", a, b)
	}
	// Where a person has moved the line, it stays there.
	q.split.SetOffset(0.2)
	s.Status.Processes = append(s.Status.Processes, api.ProcessStatus{Blender: "default", PID: 4714, State: api.BlenderReady, Use: "waiting"})
	q.show(s)
	if q.split.Offset != 0.2 {
		t.Errorf("the line was moved to %.2f", q.split.Offset)
	}
}

func TestTheQueueNamesTheRunsThatWaitOnTheFarm(t *testing.T) {
	q := &queueTab{asked: true, state: attached(api.BlenderReady, onFarm(farmRun("8", false), farmRun("9", false)))}
	if got := q.emptyWords(); got != "No run waits here. 2 wait for a machine of the farm; Activity lists them." {
		t.Errorf("it says %q", got)
	}
	q.state = attached(api.BlenderReady, onFarm(farmRun("8", true)))
	if got := q.emptyWords(); !strings.HasPrefix(got, "No run waits.") {
		t.Errorf("it says %q", got)
	}
	if sameRuns([]api.Run{farmRun("8", false)}, []api.Run{farmRun("8", true)}) {
		t.Error("a run that a machine has begun changes nothing")
	}
}

func TestAProcessThatStopsIsNotMeasured(t *testing.T) {
	o := openWindow(t)
	q := o.queue
	o.selectTab(q.content)
	s := State{Link: Attached, Status: api.Status{
		Blenders: []api.BlenderStatus{{Name: "default", State: api.BlenderReady}},
		Processes: []api.ProcessStatus{
			{Blender: "default", PID: 4711, State: api.BlenderStopping},
			{Blender: "default", PID: 4712, State: api.BlenderReady, Use: "waiting"},
		},
	}}
	q.show(s)
	for key, want := range map[string]string{"process 4711": "", "process 4712": "CPU is measured…"} {
		if got := q.rows[key].cpu.text.Text; got != want {
			t.Errorf("%s says %q, want %q", key, got, want)
		}
	}
}

func TestAReasonThatTheTitleSaysIsSaidOnce(t *testing.T) {
	o := openWindow(t)
	r := farmRun("8", false)
	r.Reason = "it waits for a machine of the farm"
	if o.runs.detail.showCause(r); o.runs.detail.cause.Visible() {
		t.Errorf("below the title it says %q", o.runs.detail.cause.Text)
	}
	if text := factsText(factsOf(r)); strings.Contains(text, r.Reason) {
		t.Errorf("the details say it twice:\n%s", text)
	}
	r.State, r.Reason = api.Queued, "Blender is stopped: start it to go on"
	if o.runs.detail.showCause(r); !o.runs.detail.cause.Visible() {
		t.Error("it is not said why a run waits")
	}
}

func TestAFolderSaysWhatItsButtonsDoAndThatItIsOfTheFarm(t *testing.T) {
	o := openWindow(t)
	o.report.Folders = []api.FolderReport{{Path: "/farm", Settings: []api.Setting{{Key: "farm", Type: api.TypeBool, Value: true}}}}
	for says, f := range map[string]api.FolderStatus{
		"watched (inotify); its scripts run on machines of the farm": {Path: "/farm", Method: "inotify"},
		"its runs wait: type “blendtray farm join”":                  {Path: "/farm", Method: "inotify", Error: "its runs wait: type `blendtray farm join`"},
	} {
		row := o.folders.row(f)
		o.folders.rows.Add(row)
		var words []string
		for _, object := range test.LaidOutObjects(row) {
			switch part := object.(type) {
			case *widget.Button:
				words = append(words, part.Text)
			case *widget.Label:
				words = append(words, part.Text)
			}
		}
		for _, want := range []string{"Change…", "Open", "Stop watching…", says} {
			if !slices.Contains(words, want) {
				t.Errorf("%q is missing in %q", want, words)
			}
		}
	}
}

func TestAKeyGoesToTheFarm(t *testing.T) {
	o := openWindow(t)
	nine := &desktop.CustomShortcut{KeyName: fyne.Key9, Modifier: fyne.KeyModifierShortcutDefault}
	o.typed(nine)
	if o.tabs.SelectedIndex() != 0 {
		t.Error("without a farm the key goes somewhere")
	}
	o.farm.take(farmOfTest())
	o.typed(nine)
	if o.tabs.Selected() != o.farm.item {
		t.Error("the key does not go to the farm")
	}
}
