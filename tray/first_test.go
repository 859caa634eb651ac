//go:build !headless

package tray

import (
	"testing"

	"blendtray/api"
)

func TestHowFarTheExampleIs(t *testing.T) {
	t.Parallel()
	blender := func(state api.BlenderState) State {
		return State{Link: Attached, Status: api.Status{Blenders: []api.BlenderStatus{{State: state}}}}
	}
	for _, c := range []struct {
		what string
		s    State
		r    api.Run
		want firstStep
	}{
		{"no engine", State{}, api.Run{}, stepEngine},
		{"no Blender", blender(api.BlenderFailed), api.Run{}, stepBlender},
		{"no Blender for a run that waits", blender(api.BlenderFailed), api.Run{ID: "1", State: api.Queued}, stepBlender},
		{"Blender starts", blender(api.BlenderStarting), api.Run{}, stepWait},
		{"the run waits", blender(api.BlenderReady), api.Run{ID: "1", State: api.Queued}, stepWait},
		{"it is running", blender(api.BlenderReady), api.Run{ID: "1", State: api.Running}, stepRunning},
		{"it is done", blender(api.BlenderReady), api.Run{ID: "1", State: api.Succeeded}, stepDone},
		{"it was done, and the engine is gone", State{Link: Lost}, api.Run{ID: "1", State: api.Succeeded}, stepDone},
		{"it failed", blender(api.BlenderReady), api.Run{ID: "1", State: api.Failed}, stepFailed},
		{"it crashed Blender", blender(api.BlenderFailed), api.Run{ID: "1", State: api.Crashed}, stepFailed},
	} {
		if got := stepOf(c.s, c.r); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

func TestWhichRunIsOfAPerson(t *testing.T) {
	t.Parallel()
	const example = "/home/ada/Blendtray/first_light.py"
	for _, c := range []struct {
		r    api.Run
		want bool
	}{
		{api.Run{ID: "1", Script: example, State: api.Succeeded}, false},
		{api.Run{ID: "2", Script: "/home/ada/Blendtray/mine.py", State: api.Queued}, false},
		{api.Run{ID: "2", Script: "/home/ada/Blendtray/mine.py", State: api.Running}, true},
		{api.Run{ID: "3", Script: "<command line>", State: api.Failed}, true},
		{api.Run{}, false},
	} {
		if got := otherScript(c.r, example); got != c.want {
			t.Errorf("%+v: %v", c.r, got)
		}
	}
	if otherScript(api.Run{ID: "3", Script: "/a.py", State: api.Running}, "") {
		t.Error("without an example there is another script")
	}
}

func TestThePictureOfARunIsItsFirst(t *testing.T) {
	t.Parallel()
	for want, outputs := range map[string][]string{
		"":           {"/a.blend", "/b.exr"},
		"/out/b.PNG": {"/a.blend", "/out/b.PNG", "/c.jpg"},
	} {
		if got := pictureOf(api.Run{Outputs: outputs}); got != want {
			t.Errorf("%q: %q", outputs, got)
		}
	}
}
