//go:build !headless

package tray

import (
	"encoding/json"
	"time"

	"fyne.io/fyne/v2"
)

// view is where a person is in the window: what the next window begins with, because a window ends
// when it is closed.
type view struct {
	Width  float32 `json:"width"`
	Height float32 `json:"height"`
	Tab    int     `json:"tab"`
	// Filter says which runs are listed, and Grouped whether scripts are listed in place of runs.
	Filter  runFilter `json:"filter"`
	Grouped bool      `json:"grouped"`
	// Pane is the tab below the head of the run.
	Pane string `json:"pane"`
	// Run is the run that a person has chosen, or "" where the newest is shown.
	Run string `json:"run"`
	// Top is the run in the first line in sight, and Into how far that line is scrolled out of sight.
	// Top is "" at the top of the list, where new runs are to be seen.
	Top  string  `json:"top"`
	Into float32 `json:"into"`
	// Pictures is what the gallery shows.
	Pictures pictureFilter `json:"pictures"`
	// Code is what was typed in the console and not run.
	Code string `json:"code"`
}

const (
	// saveViewEvery is how often the view is kept while the window is open, in case it crashes.
	saveViewEvery = 10 * time.Second
)

// readView returns the view that a window has kept, or the view of the first window.
func readView(text []byte) view {
	p := view{Width: 980, Height: 640}
	if json.Unmarshal(text, &p) != nil || p.Width < 100 || p.Height < 100 {
		return view{Width: 980, Height: 640}
	}
	return p
}

// view returns where the person is now.
func (w *window) view() view {
	size := w.Canvas().Size()
	p := view{
		Width: size.Width, Height: size.Height, Tab: w.tabs.SelectedIndex(),
		Filter: w.runs.filter, Grouped: w.runs.grouped, Pane: w.runs.detail.pane(),
		Pictures: w.pictures.filter(),
	}
	if len(w.console.code.Text) <= maxCode {
		p.Code = w.console.code.Text
	}
	if w.runs.picked {
		p.Run = w.runs.detail.run.ID
	}
	if w.found != nil { // the list has not been scrolled back yet
		p.Top, p.Into = w.found.Top, w.found.Into
	} else {
		p.Top, p.Into = w.runs.place()
	}
	return p
}

// goBack brings the person to a view, in a window that has just been made. The list is scrolled
// when the runs are there.
func (w *window) goBack(p view) {
	w.Resize(fyne.NewSize(p.Width, p.Height))
	t := w.runs
	t.filter, t.grouped = p.Filter, p.Grouped
	t.search.Text = p.Filter.Search
	t.search.Refresh()
	t.showFilter()
	t.detail.showPane(p.Pane)
	if p.Run != "" {
		t.picked = true
		w.chosen = p.Run
	}
	if p.Top != "" {
		w.found = &p
	}
	w.pictures.setFilter(p.Pictures)
	w.console.code.SetText(p.Code)
	if p.Tab > 0 && p.Tab < len(w.tabs.Items) {
		w.tabs.SelectIndex(p.Tab)
	}
}

// settle scrolls the list of runs to where the last window was, once its runs are there. It asks for
// older runs until then.
func (w *window) settle() {
	p, t := w.found, w.runs
	if p == nil {
		return
	}
	if len(t.activity.runs) == 0 {
		return
	}
	i, there := t.activity.place(p.Top)
	if !there && t.trouble != "" {
		return // the next engine brings a reload
	}
	if !there && !t.activity.complete && newer(t.activity.runs[len(t.activity.runs)-1].ID, p.Top) {
		t.load()
		return
	}
	w.found = nil
	into := p.Into
	if !there {
		into = 0 // the run is gone, and the next older run takes its place
	}
	t.list.ScrollToOffset(min(float32(i)*w.runs.lineHeight()+into, t.lowest()))
}

// saveView keeps where the person is for the next window.
func (s *shell) saveView() {
	s.window.console.save()
	now, err := json.Marshal(s.window.view())
	if err != nil || string(now) == string(s.saved) {
		return
	}
	if s.cfg.Host.SaveView(now) == nil { // where it can't be kept, the next window begins with the old view
		s.saved = now
	}
}

// saveViews keeps the view from time to time.
func (s *shell) saveViews() {
	for {
		select {
		case <-time.After(saveViewEvery):
			s.do(s.saveView)
		case <-s.ctx.Done():
			return
		}
	}
}
