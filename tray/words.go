package tray

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// with has what is put into a text of the catalogue, by the names of the places.
type with = map[string]any

// deed is something that can fail, in English, as it follows "Could not": "open the folder". There is a
// whole sentence for each deed in the catalogue.
type deed string

// couldNot returns the sentence that something has failed.
func couldNot(what deed) string { return lang.L("Could not " + string(what)) }

// because returns a sentence with the reason after it.
func because(sentence, reason string) string {
	return lang.L("{{.Sentence}}: {{.Reason}}", with{"Sentence": sentence, "Reason": revealed(reason)})
}

// beside returns a line of things that are true beside each other. Empty texts are left out.
func beside(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(text string) bool { return text == "" }), " · ")
}

// clock returns a duration in a form that is read at a glance: "8 ms", "1.2 s", "1:10", "2:03:00".
func clock(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s < 0.0995:
		return lang.L("{{.Number}} ms", with{"Number": decimal(s*1000, 0)})
	case s < 9.95:
		return lang.L("{{.Number}} s", with{"Number": decimal(s, 1)})
	case s < 59.5:
		return lang.L("{{.Number}} s", with{"Number": decimal(s, 0)})
	}
	all := int(math.Round(s))
	if all < 3600 {
		return strconv.Itoa(all/60) + ":" + twoDigits(all%60)
	}
	return strconv.Itoa(all/3600) + ":" + twoDigits(all/60%60) + ":" + twoDigits(all%60)
}

func twoDigits(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

// decimal returns a number with so many digits after the point, or the comma of a language.
func decimal(v float64, digits int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', digits, 64), ".", lang.X("decimal point", "."), 1)
}

// percent returns a fraction of one.
func percent(fraction float64) string {
	return lang.L("{{.Number}} %", with{"Number": int(max(0, min(fraction, 1)) * 100)})
}

// grouped returns a number with its digits in groups of three: "12,345".
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + lang.X("sign between groups of digits", ",") + text[i:]
	}
	return text
}

// bytesText returns a number of bytes in decimal units: "340 KB", "1.5 MB", "12 GB".
func bytesText[N int64 | uint64](n N) string {
	if n < 1000 {
		return lang.N("{{.Count}} bytes", int(n), with{"Count": int(n)})
	}
	v, unit := float64(n)/1000, "KB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, next
	}
	digits := 0
	if v < 9.95 {
		digits = 1
	}
	return lang.L("{{.Number}} {{.Unit}}", with{"Number": decimal(v, digits), "Unit": unit})
}

// date returns a day of this year and a time: "2 Jan 15:04".
func date(at time.Time) string {
	return lang.L("{{.Day}} {{.Month}} {{.Time}}", with{"Day": at.Day(), "Month": month(at.Month()), "Time": at.Format("15:04")})
}

// month returns the short name of a month.
func month(m time.Month) string {
	return []string{
		lang.L("Jan"), lang.L("Feb"), lang.L("Mar"), lang.L("Apr"), lang.X("May, short", "May"), lang.L("Jun"),
		lang.L("Jul"), lang.L("Aug"), lang.L("Sep"), lang.L("Oct"), lang.L("Nov"), lang.L("Dec"),
	}[m-1]
}

// headline returns the state in words, for the first line of the menu.
func headline(s State, now time.Time) string {
	switch s.Link {
	case Connecting:
		if s.Status.Settings.Error != "" {
			return lang.L("The settings file has an error")
		}
		return lang.L("Looking for the engine…")
	case Lost:
		return lang.L("The engine has ended. Looking for another…")
	}
	if n := s.Status.SavesWaiting; n > 0 {
		return lang.N("{{.Count}} saved scripts wait: {{.Reason}}", n, with{"Count": grouped(n), "Reason": reasonOf(s.Status.SavesWaitFor)})
	}
	b := s.blender()
	waiting := waitingWords(s)
	switch {
	case s.current() != nil:
		others := ""
		if more := len(s.Running) - s.awaiting() - 1; more > 0 {
			others = lang.N("{{.Count}} more running", more, with{"Count": grouped(more)})
		}
		return beside(progressWords(*s.current(), now), others, waiting)
	case b.State == api.BlenderFailed:
		return beside(cantStart(b.Reason), waiting)
	case b.State == api.BlenderStarting && b.Source == api.SourceOpen:
		return beside(lang.L("Waiting for an open Blender"), waiting)
	case b.State == api.BlenderStarting:
		return beside(lang.L("Blender is starting…"), waiting)
	case b.State == api.BlenderStopping:
		return beside(lang.L("Blender is stopping…"), waiting)
	case b.State == api.BlenderStopped:
		return beside(lang.L("Blender is stopped"), waiting)
	}
	name := "Blender"
	if b.Version != "" {
		name += " " + b.Version
	}
	ready := lang.L("ready")
	if s.Status.WatchingPaused {
		ready = lang.L("watching is paused")
	}
	return beside(name, ready, waiting, wrongWords(s), refusedWords(s), staleWords(staleScripts(s)))
}

// cantStart says why Blender can't start.
func cantStart(reason string) string {
	return lang.L("Blender can't start: {{.Reason}}", with{"Reason": reasonOf(reason)})
}

// wrongWords says that the settings are wrong, or returns "".
func wrongWords(s State) string {
	if s.Status.Settings.Error == "" {
		return ""
	}
	return lang.L("the settings file has an error")
}

// refusedWords says that scripts do not run because others may write to them, or returns "".
func refusedWords(s State) string {
	if !slices.ContainsFunc(s.Status.Folders, func(f api.FolderStatus) bool { return f.Refused > 0 }) {
		return ""
	}
	return lang.L("other users may write to a folder")
}

// staleScripts returns how many scripts wait for a person because their modules have changed.
func staleScripts(s State) (n int) {
	for _, f := range s.Status.Folders {
		n += len(f.Stale)
	}
	return n
}

// staleWords says of how many scripts the modules have changed, or returns "" for none.
func staleWords(n int) string {
	if n == 0 {
		return ""
	}
	return lang.N("modules of {{.Count}} scripts have changed", n, with{"Count": grouped(n)})
}

// waitingWords returns how many runs wait, here and for the farm, or "" for none.
func waitingWords(s State) string {
	far := s.awaiting()
	switch n := s.Status.Queued + far; {
	case n == 0:
		return ""
	case n == far:
		return lang.N("{{.Count}} waiting for the farm", n, with{"Count": grouped(n)})
	default:
		return lang.N("{{.Count}} waiting", n, with{"Count": grouped(n)})
	}
}

// wrongSettings returns what is wrong in the file of the settings, and what follows from that.
func wrongSettings(s State) string {
	reason := revealed(s.Status.Settings.Error)
	if s.Link == Attached {
		return lang.L("The settings file has an error:\n{{.Reason}}\nThe settings from before hold until it is corrected.", with{"Reason": reason})
	}
	return lang.L("The settings file has an error:\n{{.Reason}}\nThe engine starts when it is corrected.", with{"Reason": reason})
}

// reasonOf returns the first line of a reason, which the engine says in English. The last lines that
// Blender printed may follow it.
func reasonOf(reason string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	if first == "" {
		return lang.L("no reason is known")
	}
	return quoteCode(plain(first))
}

// codeWord matches what is written as code, as a whole in quotes or not.
var codeWord = regexp.MustCompile("`\"([^\"`]*)\"`|`([^`]*)`")

// quoteCode returns a text in which what is written as code stands in the quotation marks of the language.
func quoteCode(text string) string {
	return codeWord.ReplaceAllString(text, lang.L("“{{.Word}}”", with{"Word": "${1}${2}"}))
}

// progressWords returns in words how far a run is.
func progressWords(r api.Run, now time.Time) string {
	p := r.Progress
	if p == nil || p.Fraction < 0 {
		return beside(nameOf(r), clock(elapsed(r, now)))
	}
	left := ""
	if p.RemainingSeconds >= 1 {
		left = lang.L("{{.Duration}} left", with{"Duration": clock(time.Duration(p.RemainingSeconds * float64(time.Second)))})
	}
	return beside(nameOf(r), percent(p.Fraction), left)
}

// shownState returns the state that the sign and the colour of a run show. A run that no machine of the farm has
// begun waits.
func shownState(r api.Run) api.State {
	if r.AwaitsMachine() {
		return api.Queued
	}
	return r.State
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
	name := verdictSign(shownState(r)) + " " + nameOf(r)
	switch {
	case r.AwaitsMachine():
		return beside(name, stateOf(r))
	case r.State == api.Running:
		return name
	case r.State == api.Succeeded:
		return beside(name, clock(elapsed(r, now)))
	case r.Error != nil && r.Error.Type != "" && r.State == api.Failed && r.Error.Line > 0:
		return beside(name, lang.L("{{.Error}}, line {{.Line}}", with{"Error": plain(r.Error.Type), "Line": r.Error.Line}))
	case r.Error != nil && r.Error.Type != "" && r.State == api.Failed:
		return beside(name, plain(r.Error.Type))
	default:
		return beside(name, stateWord(r.State))
	}
}

// stateOf returns in words which state a run has.
func stateOf(r api.Run) string {
	if r.AwaitsMachine() {
		return lang.L("waiting for a machine of the farm")
	}
	return stateWord(r.State)
}

// stateWord returns the word for the state of a run that a person reads. What is not known, such as
// the state of a newer engine, is as the engine says it.
func stateWord(state api.State) string {
	switch state {
	case api.Queued:
		return lang.L("waiting")
	case api.Running:
		return lang.L("running")
	case api.Succeeded:
		return lang.L("succeeded")
	case api.Failed:
		return lang.L("failed")
	case api.Crashed:
		return lang.L("Blender crashed")
	case api.TimedOut:
		return lang.L("over its time limit")
	case api.Cancelled:
		return lang.L("cancelled")
	case api.Interrupted:
		return lang.L("interrupted")
	}
	return string(state)
}

// endsRuns says which runs are running here and end with what a person has asked for, or returns "" when
// there is no such run.
func endsRuns(s State) string {
	switch runs := s.here(); len(runs) {
	case 0:
		return ""
	case 1:
		return lang.L("{{.Script}} is running. This ends the run.", with{"Script": nameOf(runs[0])})
	default:
		return lang.N("{{.Count}} runs are running. This ends them.", len(runs), with{"Count": grouped(len(runs))})
	}
}
