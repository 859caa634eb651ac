//go:build !headless

package tray

import (
	"slices"
	"strings"

	"blendtray/api"
)

// pageRuns is how many runs are asked for at a time.
const pageRuns = 500

// activity is the list of runs that the window shows: newest first, as many as the window has
// asked for. Events keep it up to date.
type activity struct {
	name   string // the name that is searched for, in lower case
	states []api.State
	runs   []api.Run
	// complete is true when there are no older runs.
	complete bool
}

// filter returns what to ask for next: runs older than those in the list.
func (a *activity) filter() api.Filter {
	f := api.Filter{Limit: pageRuns, Name: a.name, States: a.states}
	if len(a.runs) > 0 {
		f.Before = a.runs[len(a.runs)-1].ID
	}
	return f
}

// older adds a page of older runs.
func (a *activity) older(page []api.Run) {
	a.complete = len(page) < pageRuns
	for _, r := range page {
		if a.index(r.ID) < 0 {
			a.runs = append(a.runs, r)
		}
	}
}

func (a *activity) index(id string) int {
	return slices.IndexFunc(a.runs, func(r api.Run) bool { return r.ID == id })
}

// update puts a run that has changed where it belongs, and reports whether the list has changed.
func (a *activity) update(r api.Run) bool {
	i := a.index(r.ID)
	switch fits := a.fits(r); {
	case i >= 0 && !fits:
		a.runs = slices.Delete(a.runs, i, i+1)
	case i >= 0:
		a.runs[i] = r
	case fits && (len(a.runs) == 0 || newer(r.ID, a.runs[0].ID)):
		a.runs = slices.Insert(a.runs, 0, r)
	default:
		return false
	}
	return true
}

// newer reports whether the run with id a is newer. Ids are decimal numbers that grow.
func newer(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

func (a *activity) fits(r api.Run) bool {
	return strings.Contains(strings.ToLower(r.Script), a.name) && (len(a.states) == 0 || slices.Contains(a.states, r.State))
}
