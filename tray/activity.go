//go:build !headless

package tray

import (
	"slices"
	"sort"
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
		if i, there := a.place(r.ID); !there {
			a.runs = slices.Insert(a.runs, i, r)
		}
	}
}

// place returns where the run with an id is, or where it would have to be.
func (a *activity) place(id string) (i int, there bool) {
	i = sort.Search(len(a.runs), func(i int) bool { return !newer(a.runs[i].ID, id) })
	return i, i < len(a.runs) && a.runs[i].ID == id
}

// index returns the index of the run with an id, or -1.
func (a *activity) index(id string) int {
	if i, there := a.place(id); there {
		return i
	}
	return -1
}

// update puts a run that has changed where it belongs, and reports whether the list has changed. A
// run that is older than those in the list comes with its page.
func (a *activity) update(r api.Run) bool {
	i, there := a.place(r.ID)
	switch fits := a.fits(r); {
	case there && !fits:
		a.runs = slices.Delete(a.runs, i, i+1)
	case there:
		a.runs[i] = r
	case fits && (i < len(a.runs) || a.complete):
		a.runs = slices.Insert(a.runs, i, r)
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
