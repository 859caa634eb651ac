package tray

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"blendtray/api"
)

// maxLabel is how many characters a line of the menu may have: a wider menu does not fit on the
// screen of a small laptop.
const maxLabel = 60

// oneLine returns a text that fits into one line of a menu: without control characters and line
// feeds, and cut in the middle, where a path and a message say least.
func oneLine(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
	}), " ")
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	head := (most - 1) * 2 / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

// nameOf returns the name of a run to show: its script's file name, or the name that it was given.
func nameOf(r api.Run) string {
	name := r.Script
	if filepath.IsAbs(name) {
		name = filepath.Base(name)
	}
	if name == "" {
		name = "script"
	}
	return oneLine(name, 32)
}

// clock returns a duration in a form that is read at a glance: "8 ms", "1.2 s", "1:10", "2:03:00".
func clock(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s < 0.0995:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 9.95:
		return fmt.Sprintf("%.1f s", s)
	case s < 59.5:
		return fmt.Sprintf("%.0f s", s)
	}
	all := int(math.Round(s))
	if all < 3600 {
		return fmt.Sprintf("%d:%02d", all/60, all%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", all/3600, all/60%60, all%60)
}

// headline returns the state in words, for the first line of the menu.
func headline(s State, now time.Time) string {
	switch s.Link {
	case Connecting:
		if s.Status.Settings.Error != "" {
			return "The settings are wrong"
		}
		return "Looking for the engine…"
	case Lost:
		return "The engine has ended · looking for it"
	}
	if s.Status.SavesWaiting > 0 {
		return fmt.Sprintf("%d saves wait: %s", s.Status.SavesWaiting, reasonOf(s.Status.SavesWaitFor))
	}
	b := s.blender()
	waiting := waitingWords(s)
	switch {
	case len(s.Running) > 1:
		return fmt.Sprintf("%s · %d more running%s", progressWords(*s.current(), now), len(s.Running)-1, waiting)
	case len(s.Running) > 0:
		return progressWords(*s.current(), now) + waiting
	case b.State == api.BlenderFailed:
		return "Blender can't start: " + reasonOf(b.Reason) + waiting
	case b.State == api.BlenderStarting && b.Source == api.SourceOpen:
		return "Waiting for an open Blender" + waiting
	case b.State == api.BlenderStarting:
		return "Blender is starting…" + waiting
	case b.State == api.BlenderStopping:
		return "Blender is stopping…" + waiting
	case b.State == api.BlenderStopped:
		return "Stopped" + waiting
	}
	if s.Status.Settings.Error != "" {
		waiting += " · the settings are wrong"
	}
	if slices.ContainsFunc(s.Status.Folders, func(f api.FolderStatus) bool { return f.Refused > 0 }) {
		waiting += " · others may write to a folder"
	}
	stale := 0
	for _, f := range s.Status.Folders {
		stale += len(f.Stale)
	}
	if stale > 0 {
		waiting += " · " + scriptsWords(stale) + " changed modules"
	}
	name := "Blender"
	if b.Version != "" {
		name += " " + b.Version
	}
	if s.Status.WatchingPaused {
		return name + " · watching is paused" + waiting
	}
	return name + " · ready" + waiting
}

// scriptsWords returns a number of scripts, with the verb.
func scriptsWords(n int) string {
	if n == 1 {
		return "1 script has"
	}
	return fmt.Sprintf("%d scripts have", n)
}

// waitingWords returns how many runs wait, to be put after a sentence, or "".
func waitingWords(s State) string {
	if s.Status.Queued == 0 {
		return ""
	}
	return fmt.Sprintf(" · %d waiting", s.Status.Queued)
}

// wrongSettings returns what is wrong in the file of the settings, and what follows from that.
func wrongSettings(s State) string {
	text := "The settings are wrong:\n" + s.Status.Settings.Error
	if s.Link == Attached {
		return text + "\nThe previous settings hold until the file is corrected."
	}
	return text + "\nThe engine starts when the file is corrected."
}

// reasonOf returns the first line of a reason. The last lines that Blender printed may follow it.
func reasonOf(reason string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	if first == "" {
		return "no reason is known"
	}
	return first
}

// progressWords returns in words how far a run is.
func progressWords(r api.Run, now time.Time) string {
	text := nameOf(r)
	p := r.Progress
	if p == nil || p.Fraction < 0 {
		return text + " · " + clock(elapsed(r, now))
	}
	text += fmt.Sprintf(" · %d %%", int(math.Min(p.Fraction, 1)*100))
	if p.RemainingSeconds >= 1 {
		text += " · " + clock(time.Duration(p.RemainingSeconds*float64(time.Second))) + " left"
	}
	return text
}

// verdictSign returns a character that shows how a run ended. The window's monospaced font has it.
func verdictSign(state api.State) string {
	switch state {
	case api.Succeeded:
		return "✓"
	case api.Failed, api.Crashed, api.TimedOut:
		return "✗"
	case api.Running:
		return "▶"
	case api.Queued:
		return "…"
	default: // cancelled, interrupted
		return "–"
	}
}

// runLine returns the line of a run in the menu.
func runLine(r api.Run, now time.Time) string {
	text := verdictSign(r.State) + " " + nameOf(r)
	switch {
	case r.State == api.Running:
		return text
	case r.State == api.Succeeded:
		return text + " · " + clock(elapsed(r, now))
	case r.Error != nil && r.Error.Type != "" && r.State == api.Failed:
		text += " · " + r.Error.Type
		if r.Error.Line > 0 {
			text += fmt.Sprintf(", line %d", r.Error.Line)
		}
		return text
	default:
		return text + " · " + stateWord(r.State)
	}
}

// stateWord returns the word for a state that a person reads.
func stateWord(state api.State) string {
	if state == api.TimedOut {
		return "over its time limit"
	}
	return string(state)
}
