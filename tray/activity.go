//go:build !headless

package tray

import (
	"slices"
	"sort"

	"blendtray/api"
)

// pageRuns is how many runs are asked for at a time.
const pageRuns = 500

// activity is the list of runs that the window shows: newest first, as many as the window has
// asked for. Events keep it up to date.
type activity struct {
	query api.Filter // which runs are listed
	runs  []*api.Run // pointers, because runs that come move all others
	// complete is true when there are no older runs.
	complete bool
}

// filter returns what to ask for next: runs older than those in the list.
func (a *activity) filter() api.Filter {
	f := a.query
	f.Limit = pageRuns
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
			a.runs = slices.Insert(a.runs, i, &r)
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
		a.runs[i] = &r
	case fits && (i < len(a.runs) || a.complete):
		a.runs = slices.Insert(a.runs, i, &r)
	default:
		return false
	}
	return true
}

// remove takes a run out of the list, and returns the run that is in its place then: the next older
// run, or the last. ok is false when the run was not there, or no run is left.
func (a *activity) remove(id string) (next api.Run, ok bool) {
	i, there := a.place(id)
	if !there {
		return api.Run{}, false
	}
	a.runs = slices.Delete(a.runs, i, i+1)
	if len(a.runs) == 0 {
		return api.Run{}, false
	}
	return *a.runs[min(i, len(a.runs)-1)], true
}

// newer reports whether the run with id a is newer. Ids are decimal numbers that grow.
func newer(a, b string) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

func (a *activity) fits(r api.Run) bool { return chooses(a.query, r) }
