package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// farmHouse is an engine with a folder of the farm, beside the house's folder, and what stands for the farm.
type farmHouse struct {
	*house
	farm *house // whose Blender stands for the farm
	dir  string
	edit []func(*Config)
}

func openFarm(t *testing.T, edit ...func(*Config)) *farmHouse {
	t.Helper()
	f := &farmHouse{farm: &house{t: t, b: newFakeBlender()}, dir: t.TempDir()}
	f.edit = append(edit, func(c *Config) {
		c.Runs.Parallel = 1
		c.Folders = append(c.Folders[:1:1], api.FolderSettings{WatchSettings: api.WatchSettings{Path: f.dir}, Farm: true})
		own := c.NewBlender
		c.NewBlender = func(spec api.BlenderSpec, changed func(api.BlenderStatus)) Blender {
			if spec.Kind() == api.BlenderFarm {
				return f.farm.b.make(spec, changed)
			}
			return own(spec, changed)
		}
	})
	f.house = open(t, f.edit...)
	return f
}

func (f *farmHouse) script(name string) string { return f.dir + "/" + name }

func TestScriptsOfAFolderOfTheFarmGoThere(t *testing.T) {
	t.Parallel()
	f := openFarm(t)
	f.house.serve()
	f.w.save(f.path("mine.py"), "1")
	mine := f.house.call()
	var calls []*call
	for _, name := range []string{"a.py", "b.py", "c.py"} { // runs.parallel is 1, and is taken
		f.w.save(f.script(name), "x")
		calls = append(calls, f.farm.call())
	}
	if st := f.Status(); st.OnFarm != 3 || st.Running != 4 || st.Queued != 0 {
		t.Errorf("%d running, %d waiting, %d on the farm", st.Running, st.Queued, st.OnFarm)
	}
	f.w.save(f.path("no.py"), "# blender: farm\nx") // in a folder of this machine
	if r := f.ended("5"); r.State != api.Failed || !strings.Contains(r.Error.Message, "no comment sends a script to the farm") {
		t.Errorf("%+v", r)
	}
	f.w.save(f.script("d.py"), "# blender: 4.5\nx")
	other := f.farm.call()
	for i, c := range append(calls, other) {
		c.sink.Started(time.Now())
		if c.req.Key == "" || c.req.Repeatable || c.req.Journal != "" {
			t.Errorf("%d: %+v", i, c.req)
		}
		c.finish(blender.Succeeded)
	}
	mine.finish(blender.Succeeded)
	if r := f.ended("6"); r.Blender != "farm-4.5" || r.State != api.Succeeded {
		t.Errorf("%+v", r)
	}
	if r := f.ended("2"); r.Blender != "farm" {
		t.Errorf("%+v", r)
	}
	again, err := f.Retry(ctx, "2")
	if err != nil {
		t.Fatal(err)
	}
	if c := f.farm.call(); again.Blender != "farm" || c.req.Key == calls[0].req.Key {
		t.Errorf("the repeat of a run is the same job: %+v", c.req)
	} else {
		c.finish(blender.Succeeded)
	}
	if _, err := f.Submit(ctx, api.Submission{Code: []byte("x"), Blender: "farm"}); !errors.Is(err, api.ErrBad) {
		t.Errorf("a submission for the farm: %v", err)
	}
}

func TestARunSaysThatItWaitsForAMachineOfTheFarm(t *testing.T) {
	t.Parallel()
	f := openFarm(t)
	sent, begin := make(chan blender.Sink), make(chan bool)
	f.farm.b.do = func(_ context.Context, _ blender.Request, sink blender.Sink) (blender.Outcome, error) {
		sent <- sink
		<-begin
		return blender.Outcome{Verdict: blender.Succeeded}, nil
	}
	f.house.serve()
	sub := f.Subscribe(SubscribeOptions{})
	defer sub.Close()
	f.w.save(f.script("a.py"), "x")
	await(t, sub, "the event that it waits there", func(ev api.Event) bool { return ev.Kind == api.KindRun && ev.Run.AwaitsMachine() })
	sink := <-sent
	if r, err := f.Run(ctx, "1"); err != nil || r.State != api.Running || !r.AwaitsMachine() || r.Reason != "it waits for a machine of the farm" {
		t.Errorf("before a machine begins it: %v %+v", err, r)
	}
	if st := f.Status(); len(st.Runs) != 1 || !st.Runs[0].AwaitsMachine() {
		t.Errorf("the status has %+v", st.Runs)
	}
	waits := func() bool {
		scripts, err := f.Scripts(ctx, api.Filter{}, 1)
		return err == nil && len(scripts) == 1 && scripts[0].Last[0].AwaitsMachine
	}
	if !waits() {
		t.Error("in the list of scripts it does not wait")
	}
	sink.Started(time.Now())
	if waits() {
		t.Error("in the list of scripts it still waits")
	}
	if r, err := f.Run(ctx, "1"); err != nil || r.AwaitsMachine() || r.Reason != "" {
		t.Errorf("after that: %v %+v", err, r)
	}
	close(begin)
	if r := f.ended("1"); r.AwaitsMachine() || r.Reason != "" {
		t.Errorf("at the end: %+v", r)
	}
}

func TestARunOnTheFarmIsTheSameJobForTheNextEngine(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]bool{"stopped": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFarm(t, func(c *Config) { c.Runs.OnStop = api.OnStopWait; c.Runs.StopTimeout = api.Duration(time.Hour) })
			f.house.serve()
			f.w.save(f.script("a.py"), "x")
			c := f.farm.call()
			c.sink.Started(time.Now())
			before := f.house
			f.farm.b = newFakeBlender()
			if dies {
				f.house = before.die(f.edit...).serve()
				defer c.finish(blender.Cancelled)
			} else {
				go func() {
					<-c.ctx.Done()
					if !errors.Is(context.Cause(c.ctx), blender.ErrLeft) {
						t.Errorf("the job is cancelled: %v", context.Cause(c.ctx))
					}
					c.finish(blender.Cancelled)
				}()
				before.stop() // waits an hour for other runs
				f.house = before.again(f.edit...).serve()
			}
			again := f.farm.call()
			if again.req.Key != c.req.Key || again.req.ID != "1" {
				t.Errorf("asked for %+v, after %+v", again.req, c.req)
			}
			again.finish(blender.Succeeded)
			f.ended("1")
			f.expect("1 a.py succeeded")
		})
	}
}

func TestTheFarmRepeatsItsRunsItself(t *testing.T) {
	t.Parallel()
	f := openFarm(t)
	if err := f.SetFolders([]api.FolderSettings{{WatchSettings: api.WatchSettings{Path: f.dir}, Farm: true, Retries: 3}}); err != nil {
		t.Fatal(err)
	}
	f.house.serve()
	f.w.save(f.script("a.py"), "x")
	c := f.farm.call()
	if !c.req.Repeatable {
		t.Errorf("%+v", c.req)
	}
	c.finish(blender.Crashed)
	f.ended("1")
	f.expect("1 a.py crashed")
}

func TestRunsWaitWhileThereIsNoFarm(t *testing.T) {
	t.Parallel()
	f := openFarm(t)
	f.farm.b.setFailing(func(blender.Request) error { return errors.New("there is no farm") })
	f.house.serve()
	f.w.save(f.script("a.py"), "x")
	eventually(t, "the folder says why", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return strings.Contains(f.farmTroubleLocked(""), "there is no farm")
	})
	if err := f.StopBlender(ctx, ""); err != nil { // is for this machine's Blenders
		t.Fatal(err)
	}
	f.farm.b.setFailing(nil)
	f.farm.call().finish(blender.Succeeded)
	f.ended("1")
}

func TestAFolderOfTheFarmHasNoSceneAndNoFrames(t *testing.T) {
	t.Parallel()
	f := openFarm(t)
	frames, err := api.FramesOf("1-3")
	if err != nil {
		t.Fatal(err)
	}
	for what, folder := range map[string]api.FolderSettings{
		"scene":  {WatchSettings: api.WatchSettings{Path: f.dir}, Farm: true, Scene: "keep"},
		"frames": {WatchSettings: api.WatchSettings{Path: f.dir}, Farm: true, Frames: frames},
	} {
		if err := f.SetFolders([]api.FolderSettings{folder}); !errors.Is(err, api.ErrBad) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
