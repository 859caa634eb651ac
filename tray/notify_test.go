package tray

import (
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func ran(state api.State, name string) api.Event {
	return api.Event{Kind: api.KindRun, Run: &api.Run{
		ID: name, Script: "/a/" + name, State: state, Error: &api.ScriptError{Type: "ValueError", Message: "no", Line: 3},
	}}
}

func blenderIs(state api.BlenderState) api.Event {
	return api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: state, Reason: "there is none\nmore"}}
}

func TestOnlyWhatWentWrongIsNotified(t *testing.T) {
	t.Parallel()
	for want, ev := range map[string]api.Event{
		"a.py failed|ValueError: no (line 3)":      ran(api.Failed, "a.py"),
		"a.py crashed Blender|no (line 3)":         ran(api.Crashed, "a.py"),
		"a.py exceeded its time limit|no (line 3)": ran(api.TimedOut, "a.py"),
		"Blender can't start|there is none":        blenderIs(api.BlenderFailed),
		"":                                         ran(api.Succeeded, "a.py"),
	} {
		n := &notices{}
		n.observe(ran(api.Running, "a.py"))
		n.observe(ran(api.Cancelled, "a.py"))
		n.observe(blenderIs(api.BlenderStarting))
		n.observe(ev)
		got := ""
		if show, _ := n.due(now); show != nil {
			got = show.title + "|" + show.text
		}
		if got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
	}
}

func TestThereIsNeverMoreThanOneNotificationInFiveSeconds(t *testing.T) {
	t.Parallel()
	n := &notices{}
	n.observe(ran(api.Failed, "a.py"))
	if show, _ := n.due(now); show == nil || show.run != "a.py" {
		t.Fatalf("the first: %+v", show)
	}
	for _, name := range []string{"b.py", "c.py", "d.py"} {
		n.observe(ran(api.Failed, name))
	}
	show, again := n.due(now.Add(time.Second))
	if show != nil || again != 4*time.Second {
		t.Errorf("after a second: %+v, again in %v", show, again)
	}
	show, _ = n.due(now.Add(5 * time.Second))
	if show == nil || show.run != "d.py" || !strings.HasSuffix(show.text, " (and 2 more before it)") {
		t.Errorf("after five: %+v", show)
	}
	if show, again = n.due(now.Add(time.Minute)); show != nil || again != 0 {
		t.Errorf("with nothing new: %+v, %v", show, again)
	}
}

func TestABlenderThatStaysBrokenIsNotifiedOnce(t *testing.T) {
	t.Parallel()
	n := &notices{}
	for range 3 {
		n.observe(blenderIs(api.BlenderFailed))
		n.observe(blenderIs(api.BlenderStarting))
	}
	if len(n.held) != 1 {
		t.Errorf("%d are held", len(n.held))
	}
	n.observe(blenderIs(api.BlenderReady))
	n.observe(blenderIs(api.BlenderFailed))
	if len(n.held) != 2 {
		t.Errorf("after it had started: %d", len(n.held))
	}
}

func TestTheSettingSaysWhatIsNotified(t *testing.T) {
	t.Parallel()
	for which, want := range map[string]int{"": 2, "failures": 2, "all": 3, "off": 0} {
		n := &notices{which: which}
		n.observe(ran(api.Failed, "a.py"))
		n.observe(ran(api.Succeeded, "b.py"))
		n.observe(blenderIs(api.BlenderFailed))
		if len(n.held) != want {
			t.Errorf("%q: %d are held, want %d", which, len(n.held), want)
		}
	}
}

func TestWrongSettingsAreToldOnce(t *testing.T) {
	t.Parallel()
	const wrong = "settings.toml:2:1: there is no key blender.paht; did you mean path?"
	n := notices{which: "failures"}
	for _, is := range []string{"", wrong, wrong, "", wrong} {
		n.settings(is)
	}
	if len(n.held) != 2 || n.held[0].text != wrong {
		t.Errorf("held: %+v", n.held)
	}
	off := notices{which: "off"}
	if off.settings(wrong); len(off.held) != 0 {
		t.Errorf("although they are off: %+v", off.held)
	}
	var s State
	s.Status.Settings.Error = wrong
	for link, says := range map[Link]string{Attached: "settings from before hold", Link(0): "starts when"} {
		s.Link = link
		if text := wrongSettings(s); !strings.Contains(text, says) || !strings.Contains(text, wrong) {
			t.Errorf("%v: %q should hold %q", link, text, says)
		}
	}
}

func TestWhoSeesHowARunEndsIsNotNotified(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		client  string
		source  api.Source
		watched bool
		want    int
	}{
		{"", api.FromFolder, true, 1}, // a save: the person is in an editor
		{"blendtray run", api.FromCommand, false, 0},
		{"blendtray render", api.FromCommand, true, 0},
		{"blendtray run", api.FromRetry, false, 1}, // nobody follows what is run again
		{"blendtray run", api.FromRetry, true, 0},
		{"window", api.FromCommand, true, 0},
		{"window", api.FromCommand, false, 1}, // the person has gone elsewhere meanwhile
		{"my blendtray", api.FromCommand, true, 1},
	} {
		n := &notices{watched: c.watched}
		ev := ran(api.Failed, "a.py")
		ev.Run.Client, ev.Run.Source = c.client, c.source
		n.observe(ev)
		if len(n.held) != c.want {
			t.Errorf("%+v: %d are held", c, len(n.held))
		}
	}
}
