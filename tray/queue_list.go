//go:build !headless

package tray

import (
	"slices"

	"blendtray/api"
)

// maxListed is how many waiting runs the window lists: as many as the engine lists at most.
const maxListed = 1000

// waitingRuns are the runs that wait as the window knows them, with those that a person has marked.
type waitingRuns struct {
	runs  []api.QueuedRun
	total int // how many wait, those that are not listed included
	// marked are the runs that a person has marked, and chosen the run in the line with the cursor, or "".
	marked map[string]bool
	chosen string
}

// update takes what the engine says now. What has left the list is neither marked nor chosen any more: a
// person can't see what would be done to it.
func (q *waitingRuns) update(runs []api.QueuedRun, total int) {
	q.runs, q.total = runs, max(total, len(runs))
	there := map[string]bool{}
	for _, r := range runs {
		there[r.Run.ID] = true
	}
	for id := range q.marked {
		if !there[id] {
			delete(q.marked, id)
		}
	}
	if !there[q.chosen] {
		q.chosen = ""
	}
}

// mark marks a run, or ends that.
func (q *waitingRuns) mark(id string, on bool) {
	if q.marked == nil {
		q.marked = map[string]bool{}
	}
	if on {
		q.marked[id] = true
	} else {
		delete(q.marked, id)
	}
}

// index returns where a run is in the list, or -1.
func (q *waitingRuns) index(id string) int {
	return slices.IndexFunc(q.runs, func(r api.QueuedRun) bool { return r.Run.ID == id })
}

// targets returns the runs that a button means: those that are marked, in their order, or the chosen one.
func (q *waitingRuns) targets() (ids []string) {
	for _, r := range q.runs {
		if q.marked[r.Run.ID] || len(q.marked) == 0 && r.Run.ID == q.chosen {
			ids = append(ids, r.Run.ID)
		}
	}
	return ids
}

// line returns whose turn the runs wait for that a button means, and how many listed runs do. ok is false
// where no run is meant, or the runs are of several lines.
func (q *waitingRuns) line() (of api.QueueLine, count int, ok bool) {
	for i, id := range q.targets() {
		r := q.runs[q.index(id)]
		next := api.QueueLine{Line: r.Line, LineKind: r.LineKind}
		if i > 0 && next != of {
			return api.QueueLine{}, 0, false
		}
		of, ok = next, true
	}
	for _, r := range q.runs {
		if ok && r.Line == of.Line && r.LineKind == of.LineKind {
			count++
		}
	}
	return of, count, ok
}

// names returns the names of the runs that wait and of those that are running, by their ids.
func (q *waitingRuns) names(running []api.Run) map[string]string {
	names := make(map[string]string, len(q.runs)+len(running))
	for _, r := range q.runs {
		names[r.Run.ID] = nameOf(r.Run)
	}
	for _, r := range running {
		names[r.ID] = nameOf(r)
	}
	return names
}

// moved returns by how many lines the lines in sight have moved when before becomes the list: the first of
// the lines from top on that is still there keeps its place. Lines that have left above do not count where
// none of those in sight is there any more.
func moved(before, now []api.QueuedRun, top int) int {
	at := make(map[string]int, len(now))
	for i, r := range now {
		at[r.Run.ID] = i
	}
	for i := max(0, top); i < len(before); i++ {
		if n, there := at[before[i].Run.ID]; there {
			return n - i
		}
	}
	return 0
}
