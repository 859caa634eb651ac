package tray

import (
	"strings"
	"testing"
	"unicode/utf8"

	"blendtray/api"
	"blendtray/tray/textpane/cells"
)

// hardNames are names that break what is careless, and what is shown of them.
var hardNames = map[string]string{
	"渲染场景.py":                       "渲染场景.py",
	"レンダー.py":                       "レンダー.py",
	"렌더.py":                         "렌더.py",
	"cafe\u0301.py":                 "cafe\u0301.py",
	"👨‍👩‍👧.py":                      "👨‍👩‍👧.py",
	"🇩🇪 ❤️.py":                      "🇩🇪 ❤️.py",
	"שלום עולם.py":                  "\u200e\u2066שלום עולם.py\u2069",
	"مرحبا 42.py":                   "\u200e\u2066مرحبا 42.py\u2069",
	"\u202eyp.exe":                  "<U+202E>yp.exe",
	"a\u2066b\u2069.py":             "a<U+2066>b<U+2069>.py",
	"\u200fx\u200ey\u061c.py":       "<U+200F>x<U+200E>y<U+061C>.py",
	"two\nlines\tand\r\nmore.py":    `two\nlines\tand\r\nmore.py`,
	"a\u2028b\u2029c.py":            "a<U+2028>b<U+2029>c.py",
	"bell\a\x1b[31m.py":             "bell<U+0007><U+001B>[31m.py",
	"broken \xff\xfe.py":            "broken \ufffd.py",
	"":                              "a script without a name",
	"\u202e":                        "<U+202E>",
	strings.Repeat("渲", 40) + ".py": strings.Repeat("渲", 10) + "…" + strings.Repeat("渲", 4) + ".py",
	strings.Repeat("👨‍👩‍👧", 40):     strings.Repeat("👨‍👩‍👧", 10) + "…" + strings.Repeat("👨‍👩‍👧", 5),
	strings.Repeat("e\u0301", 40):   strings.Repeat("e\u0301", 20) + "…" + strings.Repeat("e\u0301", 11),
}

func TestAHardNameIsShownAsWhatItIs(t *testing.T) {
	t.Parallel()
	for name, want := range hardNames {
		got := nameOf(api.Run{Script: name})
		if got != want {
			t.Errorf("%+q is shown as %+q, want %+q", name, got, want)
		}
		if _, wide := cells.Layout(got); wide > maxName+2 || !utf8.ValidString(got) {
			t.Errorf("%+q takes %d cells", got, wide)
		}
	}
}

// What a person reads of a name anywhere in the menu, in notifications and in questions is safe.
func TestNoPlaceShowsANameThatChangesTheOrder(t *testing.T) {
	t.Parallel()
	const evil = "/srv/\u202eyp.exe"
	r := api.Run{ID: "1", Script: evil, State: api.Failed, Error: &api.ScriptError{Type: "\u202eE", Message: "\u202em\nn", Line: 3}}
	busy := attached(api.BlenderRunning, func(s *State) { s.Running, s.Recent = []api.Run{r}, []api.Run{r} })
	failed := attached(api.BlenderFailed, func(s *State) { s.Status.Blenders[0].Reason = "no file " + evil })
	var shown []string
	for _, s := range []State{busy, failed} {
		for _, it := range Menu(s, now) {
			shown = append(shown, it.Label)
		}
	}
	shown = append(shown, endsRuns(busy), because("no", evil), wrongSettings(State{Status: api.Status{Settings: api.SettingsStatus{Error: evil}}}), cantStart(failed.Status.Blenders[0].Reason))
	for _, state := range []api.State{api.Failed, api.Crashed, api.TimedOut, api.Succeeded} {
		r.State = state
		n := notices{which: "all"}
		n.observe(api.Event{Kind: api.KindRun, Run: &r})
		shown = append(shown, n.held[0].title, n.held[0].text)
	}
	n := notices{}
	n.observe(api.Event{Kind: api.KindBlender, Blender: &api.BlenderStatus{State: api.BlenderFailed, Name: "\u202eb", Reason: evil}})
	n.settings("\u202ewrong")
	for _, held := range n.held {
		shown = append(shown, held.title, held.text)
	}
	found := 0
	for _, text := range shown {
		if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), api.HidesText) {
			t.Errorf("it shows %+q", text)
		}
		found += strings.Count(text, "<U+202E>")
	}
	if found < 12 {
		t.Errorf("the name is in %d places only of %q", found, shown)
	}
}
