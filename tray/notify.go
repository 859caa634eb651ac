package tray

import (
	"strings"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// notice is one notification on the desktop. run is the id of the run that a click opens, or "".
type notice struct{ title, text, run string }

// noticePace is the shortest time between two notifications. Everything that happens within it
// comes together in the next notification.
const noticePace = 5 * time.Second

// notices decides what is worth a notification, and when.
type notices struct {
	which string // "failures", "all" or "off"; "" means "failures"
	last  time.Time
	held  []notice
	// broken are the names of the Blenders of which a notice said that they can't start, and that have
	// not started since.
	broken map[string]bool
	wrong  string // the error in the settings that was last noted
	// watched is true while the window has the focus.
	watched bool
}

// follows reports whether the person who has asked for a run sees how it ends without a notification:
// in the terminal whose command follows the run, or in the window while it has the focus.
func (n *notices) follows(r api.Run) bool {
	repeated := r.Source == api.FromRetry // its client is the client of the run that it repeats
	switch {
	case n.watched && (r.Client == windowClient || repeated):
		return true
	default:
		return strings.HasPrefix(r.Client, commandClient) && !repeated
	}
}

// The names by which this program's own clients ask for runs.
const (
	windowClient  = "window"
	commandClient = "blendtray " // and the name of the command, which follows its run
)

// settings notes an error in the file of the settings, or "" for none. A new error becomes a
// notice.
func (n *notices) settings(wrong string) {
	if wrong != "" && wrong != n.wrong && n.which != "off" {
		n.add(notice{lang.L("The settings file has an error"), oneLine(wrong, 200), ""})
	}
	n.wrong = wrong
}

// add holds a notice until it is due.
func (n *notices) add(one notice) { n.held = append(n.held, one) }

// observe adds a notice to held if an event is worth one.
func (n *notices) observe(ev api.Event) {
	switch {
	case ev.Kind == api.KindRun && ev.Run != nil:
		r := *ev.Run
		title := ""
		switch r.State {
		case api.Failed:
			title = lang.L("{{.Script}} failed", with{"Script": nameOf(r)})
		case api.Crashed:
			title = lang.L("{{.Script}} crashed Blender", with{"Script": nameOf(r)})
		case api.TimedOut:
			title = lang.L("{{.Script}} exceeded its time limit", with{"Script": nameOf(r)})
		case api.Succeeded:
			if n.which != "all" {
				return
			}
			title = lang.L("{{.Script}} succeeded", with{"Script": nameOf(r)})
		default:
			return
		}
		if n.which == "off" || n.follows(r) {
			return
		}
		text := why(r)
		if r.State == api.Succeeded {
			text = lang.L("It took {{.Duration}}.", with{"Duration": clock(elapsed(r, time.Now()))})
		}
		n.add(notice{title, oneLine(text, 200), r.ID})
	case ev.Kind == api.KindBlender && ev.Blender != nil:
		switch ev.Blender.State {
		case api.BlenderFailed:
			if name := ev.Blender.Name; !n.broken[name] && n.which != "off" {
				if n.broken == nil {
					n.broken = map[string]bool{}
				}
				n.broken[name] = true
				title := lang.L("Blender can't start")
				if name != "" && name != api.DefaultBlender {
					title = lang.L("Blender {{.Name}} can't start", with{"Name": plain(name)})
				}
				n.add(notice{title, oneLine(reasonOf(ev.Blender.Reason), 200), ""})
			}
		case api.BlenderReady:
			delete(n.broken, ev.Blender.Name)
		}
	}
}

// due returns the notification to show now, or after how long to ask again. With neither, ask
// again after the next event.
func (n *notices) due(now time.Time) (show *notice, again time.Duration) {
	if len(n.held) == 0 {
		return nil, 0
	}
	if wait := n.last.Add(noticePace).Sub(now); wait > 0 && !n.last.IsZero() {
		return nil, wait
	}
	one := n.held[len(n.held)-1]
	if others := len(n.held) - 1; others > 0 {
		one.text = lang.N("{{.Text}} (and {{.Count}} more before it)", others, with{"Text": one.text, "Count": grouped(others)})
	}
	n.held, n.last = nil, now
	return &one, 0
}

// why returns in one line what ended a run.
func why(r api.Run) string {
	if r.Error == nil {
		return r.Reason
	}
	text := r.Error.Message
	if r.Error.Type != "" && r.State == api.Failed {
		text = r.Error.Type + ": " + text
	}
	if r.Error.Line > 0 {
		text = lang.L("{{.Cause}} (line {{.Line}})", with{"Cause": text, "Line": r.Error.Line})
	}
	return text
}
