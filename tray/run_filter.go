//go:build !headless

package tray

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// runFilter is which runs a person wants to see. The zero filter chooses all.
type runFilter struct {
	// Search is a part of the script's path, and Script the whole path or name of a script.
	Search string `json:"search,omitempty"`
	Script string `json:"script,omitempty"`
	// States is the key of one of the stateFilters, or "" for all states.
	States string `json:"states,omitempty"`
	// Folder is a watched folder, or "" for runs from anywhere.
	Folder string `json:"folder,omitempty"`
	// Client is the program that has asked for the runs, or "" for any.
	Client string `json:"client,omitempty"`
	// When is one of the values below. From and To are days such as 2026-01-31, with whenDays alone:
	// the first day and the last day, either may be "".
	When string `json:"when,omitempty"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Pinned chooses runs that are pinned.
	Pinned bool `json:"pinned,omitempty"`
}

// The values of When in a [runFilter], beside "" for any time.
const (
	whenToday = "today"
	whenWeek  = "week"
	whenDays  = "days"
)

// stateFilters are the states that a person may choose. The view keeps their keys.
var stateFilters = []struct {
	key    string
	states []api.State
}{
	{english("Succeeded"), []api.State{api.Succeeded}},
	{english("Failed"), []api.State{api.Failed, api.Crashed, api.TimedOut}},
	{english("Waiting and running"), []api.State{api.Queued, api.Running}},
	{english("Cancelled"), []api.State{api.Cancelled, api.Interrupted}},
}

// day is how days are written in a [runFilter].
const day = "2006-01-02"

// query returns the filter as the engine knows it. now is what today is taken from.
func (f runFilter) query(now time.Time) api.Filter {
	q := api.Filter{Name: strings.ToLower(strings.TrimSpace(f.Search)), Script: f.Script, Folder: f.Folder, Client: f.Client, Pinned: f.Pinned}
	for _, s := range stateFilters {
		if s.key == f.States {
			q.States = s.states
		}
	}
	switch f.When {
	case whenToday:
		q.Since = midnight(now, 0)
	case whenWeek:
		q.Since = midnight(now, -6)
	case whenDays:
		if from, err := time.ParseInLocation(day, f.From, now.Location()); err == nil {
			q.Since = from
		}
		if to, err := time.ParseInLocation(day, f.To, now.Location()); err == nil {
			q.Until = midnight(to, 1)
		}
	}
	return q
}

// midnight returns the beginning of the day so many days after another.
func midnight(of time.Time, days int) time.Time {
	return time.Date(of.Year(), of.Month(), of.Day()+days, 0, 0, 0, 0, of.Location())
}

// chooses reports whether the engine would choose a run by a filter, but for Before and Limit.
func chooses(f api.Filter, r api.Run) bool {
	switch {
	case !strings.Contains(strings.ToLower(r.Script), f.Name),
		len(f.States) > 0 && !slices.Contains(f.States, r.State),
		f.Script != "" && r.Script != f.Script,
		f.Folder != "" && r.Folder != f.Folder,
		f.Client != "" && r.Client != f.Client,
		!f.Since.IsZero() && r.QueuedAt.Before(f.Since),
		!f.Until.IsZero() && !r.QueuedAt.Before(f.Until),
		f.Pinned && !r.Pinned:
		return false
	}
	return true
}

// chip is a part of a filter as the window shows it, and what takes that part out of a filter.
type chip struct {
	words  string
	remove func(*runFilter)
}

// chips returns the parts of a filter but the search, which its field shows.
func (f runFilter) chips() (all []chip) {
	add := func(words string, remove func(*runFilter)) { all = append(all, chip{words, remove}) }
	if f.Script != "" {
		add(nameOf(api.Run{Script: f.Script}), func(f *runFilter) { f.Script = "" })
	}
	if f.States != "" {
		add(translated(f.States), func(f *runFilter) { f.States = "" })
	}
	if f.Folder != "" {
		add(lang.L("in {{.Folder}}", with{"Folder": nameInLine(filepath.Base(f.Folder), 24)}), func(f *runFilter) { f.Folder = "" })
	}
	if f.Client != "" {
		add(lang.L("by {{.Name}}", with{"Name": oneLine(f.Client, 32)}), func(f *runFilter) { f.Client = "" })
	}
	if words := f.whenWords(); words != "" {
		add(words, func(f *runFilter) { f.When, f.From, f.To = "", "", "" })
	}
	if f.Pinned {
		add(lang.L("pinned"), func(f *runFilter) { f.Pinned = false })
	}
	return all
}

func (f runFilter) whenWords() string {
	days := with{"From": f.From, "To": f.To}
	switch {
	case f.When == whenToday:
		return lang.L("today")
	case f.When == whenWeek:
		return lang.L("last 7 days")
	case f.When != whenDays || f.From == "" && f.To == "":
		return ""
	case f.To == "":
		return lang.L("since {{.From}}", days)
	case f.From == "":
		return lang.L("until {{.To}}", days)
	case f.From == f.To:
		return f.From
	}
	return lang.L("{{.From}} to {{.To}}", days)
}

// words returns the filter in words, or "" when it chooses all runs.
func (f runFilter) words() string {
	var all []string
	if text := strings.TrimSpace(f.Search); text != "" {
		all = append(all, "“"+oneLine(text, 40)+"”")
	}
	for _, c := range f.chips() {
		all = append(all, c.words)
	}
	return strings.Join(all, " · ")
}
