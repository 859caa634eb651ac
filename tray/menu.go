package tray

import (
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// Do is what a click on an item of the menu does.
type Do int

// The values of [Do].
const (
	Nothing Do = iota
	ShowWindow
	StartBlender
	StopBlender
	RestartBlender
	CancelRun
	PauseWatching // with On
	ShowRun       // with ID
	OpenFolder
	StartAtLogin // with On
	StartEngine  // in the process of the tray
	Quit
)

// Item is one line of the menu. All menus have the same lines in the same order, so that the
// texts can be changed in place while the menu is open.
type Item struct {
	Separator bool
	Label     string
	Enabled   bool
	// Hidden is true for a line that has nothing to show yet, such as the third of two runs.
	Hidden bool
	// Check is true for a line with a check mark, and Checked says whether the mark is shown.
	Check, Checked bool
	Do             Do
	// ID is the run that the line is about, and On what a click makes of a switch.
	ID string
	On bool
}

var separator = Item{Separator: true}

// Menu returns the menu for a state: flat and short. What makes no sense now is disabled, not
// left out.
func Menu(s State, now time.Time) []Item {
	attached := s.Link == Attached
	can := possible(s)
	start := Item{Label: lang.L("Start Blender"), Enabled: can.start, Do: StartBlender}
	if engineGone(s) {
		start = Item{Label: lang.L("Start the engine here"), Enabled: true, Do: StartEngine}
	}
	items := []Item{
		{Label: cut(headline(s, now), maxLabel), Enabled: true, Do: ShowWindow},
		separator,
		start,
		{Label: lang.L("Stop Blender"), Enabled: can.stop, Do: StopBlender},
		{Label: lang.L("Restart Blender"), Enabled: can.restart, Do: RestartBlender},
		{Label: lang.L("Cancel the current run"), Enabled: can.cancel, Do: CancelRun},
		{
			Label: lang.L("Pause watching"), Enabled: attached, Check: true, Checked: s.Status.WatchingPaused,
			Do: PauseWatching, On: !s.Status.WatchingPaused,
		},
		separator,
	}
	if can.cancel {
		items[5].ID = s.current().ID
	}
	for i := range RecentRuns {
		item := Item{Hidden: true, Do: ShowRun}
		if i < len(s.Recent) {
			item = Item{
				Label: cut(runLine(s.Recent[i], now), maxLabel), Enabled: true, Do: ShowRun, ID: s.Recent[i].ID,
			}
		} else if i == 0 {
			item = Item{Label: lang.L("No runs yet"), Do: ShowRun}
			if !attached {
				item.Label = lang.L("Without an engine there are no runs to show")
			}
		}
		items = append(items, item)
	}
	quit := lang.L("Quit")
	if attached && !s.Own {
		quit = lang.L("Quit (the engine keeps running)")
	}
	return append(items,
		separator,
		Item{Label: lang.L("Open the scripts folder"), Enabled: s.Folder != "", Do: OpenFolder},
		Item{Label: lang.L("Show the window"), Enabled: true, Do: ShowWindow},
		Item{Label: lang.L("Start at login"), Enabled: true, Check: true, Checked: s.Login, Do: StartAtLogin, On: !s.Login},
		separator,
		Item{Label: quit, Enabled: true, Do: Quit},
	)
}

// engineGone reports whether there is no engine that can be expected to answer by itself, so that a
// person may want to start an engine in the process of the tray.
func engineGone(s State) bool {
	return !s.Own && s.Status.Settings.Error == "" && (s.Link == Lost || s.Link == Connecting && s.Trouble != "")
}

// abilities are what a person can ask for in a state.
type abilities struct{ start, stop, restart, cancel bool }

// possible returns what a person can ask for in a state.
func possible(s State) abilities {
	if s.Link != Attached {
		return abilities{}
	}
	var can abilities
	switch s.blender().State {
	case api.BlenderStopped, api.BlenderFailed:
		can.start = true
	case api.BlenderReady, api.BlenderRunning:
		can.stop, can.restart = true, true
	case api.BlenderStarting:
		can.stop = true
	}
	can.cancel = s.current() != nil
	return can
}
