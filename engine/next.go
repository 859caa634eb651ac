package engine

import (
	"path/filepath"
	"time"

	"blendtray/api"
)

// fewWaiting is how many runs of a folder wait at most where a person saves: what waits behind more
// is a burst, such as of scripts that a program has copied there.
const fewWaiting = 3

// line is whose turn it is: the runs of one line begin in their order, and lines take turns. A line
// is a folder, a client or a session, each with the Blender that its runs ask for.
type line struct {
	kind    lineKind
	name    string
	blender string
}

type lineKind int

const (
	clientLine lineKind = iota
	folderLine
	sessionLine
)

// lineOf returns the line in which a run waits.
func lineOf(j *job) line {
	switch {
	case j.run.Session != "":
		return line{sessionLine, j.run.Session, j.run.Blender}
	case j.run.Folder != "":
		return line{folderLine, j.run.Folder, j.run.Blender}
	}
	return line{clientLine, j.run.Client + "\x00" + j.peer, j.run.Blender}
}

// need is what a run asks of a Blender, as far as Blenders that are free for one run may not be
// free for another.
type need struct {
	blender   string // its name
	isolation api.Isolation
	look      bool   // the run looks at what the last isolated run left
	scene     string // the .blend that an isolated run begins with, or ""
	session   string
}

// need returns what the run asks of a Blender.
func (j *job) need() need {
	n := need{blender: j.run.Blender, isolation: j.run.Isolation, session: j.run.Session}
	if _, open := openPID(n.blender); open {
		return need{blender: n.blender, isolation: api.IsolateKeep} // there is one process, whatever the run wants
	}
	if j.run.OnFarm() {
		return need{blender: n.blender, isolation: api.IsolateProcess} // each machine has Blenders of its own
	}
	n.look = n.isolation == api.IsolateKeep && j.run.Folder == "" && n.session == ""
	if n.isolation == api.IsolateProcess && filepath.IsAbs(j.run.Scene) {
		n.scene = j.run.Scene
	}
	return n
}

// load is what the choice of the next run sees beside the queue. The engine keeps one and notes what
// begins and ends, which takes no longer where hundreds of sessions are running.
type load struct {
	parallel int             // how many runs may be running of those that runs.parallel counts
	counted  int             // how many of them are running
	open     map[string]bool // the Blenders that take runs, and whether a person has opened them
	waits    map[need]int    // no Blender is free for such runs
	sent     map[need]int    // such runs are about to take their Blender
	sending  map[string]int  // in these Blenders an isolated run is about to begin
	scripts  map[string]int  // the files that are running
	sole     map[need]int    // what runs use that no other run can use beside them
	running  map[line]int    // how many runs of a line are running
	turns    map[line]int    // when a line had its turn last, by turn
	turn     int
	quick    map[line]bool // sessions whose last run was over within quickRun
	quickRun time.Duration
	// hurried: the run that was begun last was begun before its turn, so that now turns are kept.
	hurried bool
}

// newLoad returns a load with nothing running, and no Blender.
func newLoad() *load {
	return &load{
		open: map[string]bool{}, waits: map[need]int{}, sent: map[need]int{}, sending: map[string]int{},
		scripts: map[string]int{}, sole: map[need]int{}, running: map[line]int{}, turns: map[line]int{}, quick: map[line]bool{}, quickRun: quickRun,
	}
}

// need returns what a run asks of a Blender.
func (l *load) need(j *job) need {
	n := j.need()
	if l.open[n.blender] {
		return need{blender: n.blender, isolation: api.IsolateKeep}
	}
	return n
}

// counts reports whether a run takes one of the places of runs.parallel.
func (l *load) counts(j *job) bool {
	return j.run.Session == "" && !j.run.InOpenBlender() && !j.run.OnFarm() && !l.open[j.run.Blender]
}

// stake is what a job has of a load while the job is running, so that all of it is given back,
// whatever the settings have become.
type stake struct {
	need    need
	counted bool
	sent    bool // the job has no Blender yet
}

// add notes a run as running. Its Blender is not taken before [load.take].
func (l *load) add(j *job) {
	j.stake = &stake{need: l.need(j), counted: l.counts(j), sent: true}
	l.change(j, 1)
	// The Blender that is free may be the one that the run takes in a moment.
	l.send(j, 1)
}

// take notes that a run has its Blender, or needs none any more.
func (l *load) take(j *job) {
	if j.stake != nil && j.stake.sent {
		j.stake.sent = false
		l.send(j, -1)
	}
}

// remove notes that a run is not running any more.
func (l *load) remove(j *job) {
	if j.stake == nil {
		return
	}
	l.take(j)
	l.change(j, -1)
	j.stake = nil
}

func (l *load) send(j *job, by int) {
	count(l.sent, j.stake.need, by)
	if j.stake.need.isolation == api.IsolateProcess {
		count(l.sending, j.stake.need.blender, by)
	}
}

func (l *load) change(j *job, by int) {
	if j.isFile {
		count(l.scripts, j.run.Script, by)
	}
	if j.stake.need.isolation != api.IsolateProcess {
		count(l.sole, j.stake.need, by) // one process executes all such runs
	}
	if j.stake.counted {
		l.counted += by
	}
	count(l.running, j.line, by)
}

// count changes a number in a map that has no zeros.
func count[K comparable](m map[K]int, key K, by int) {
	if m[key] += by; m[key] == 0 {
		delete(m, key)
	}
}

// began notes that a run has its turn. waiting tells whether runs of a line wait.
func (l *load) began(j *job, early bool, waiting map[line][]*job) {
	if len(l.turns) > 2*len(waiting)+100 {
		for other := range l.turns {
			if waiting[other] == nil {
				delete(l.turns, other)
			}
		}
	}
	l.turn++
	l.turns[j.line] = l.turn
	if j.line.kind != sessionLine {
		l.hurried = early
	}
}

// next returns the run that should begin next, or nil, and whether it begins before its turn. mine
// tells whether a Blender is one of the caller's: a run in another Blender is returned only when it
// takes a place.
//
// The runs of a line begin in their order, but a run whose script is running lets the others pass.
// Of several lines the one has its turn of which the fewest runs are running, and of these the one
// that waits longest for its turn. A save by a person begins before what is left of a burst, though
// never twice in a row, so that the burst goes on. A run that somebody has put ahead of all others
// begins before all of these.
func (q *queue) next(l *load, mine func(blender string) bool) (next *job, early bool) {
	var turn, hand, ahead *job
	for key, jobs := range q.lines {
		if key.kind == sessionLine && l.running[key] > 0 && !l.follows(jobs[0]) {
			continue
		}
		j := q.first(l, jobs)
		if j == nil || !mine(j.run.Blender) && !l.counts(j) {
			continue
		}
		if j.ahead() && (ahead == nil || j.before(ahead)) {
			ahead = j
		}
		if turn == nil || l.less(j, turn) {
			turn = j
		}
		if j.byHand() && len(jobs) <= fewWaiting && (hand == nil || l.less(j, hand)) {
			hand = j
		}
	}
	if ahead != nil {
		return ahead, false
	}
	if hand != nil && hand != turn && !l.hurried && len(q.lines[turn.line]) > fewWaiting {
		return hand, true
	}
	return turn, false
}

// byHand reports whether the job is a save by a person, as far as the engine knows.
func (j *job) byHand() bool { return j.run.Source == api.FromFolder && j.run.WrittenBy == "" }

// less reports whether it is rather the turn of j than of k.
func (l *load) less(j, k *job) bool {
	switch {
	case l.running[j.line] != l.running[k.line]:
		return l.running[j.line] < l.running[k.line]
	case l.turns[j.line] != l.turns[k.line]:
		return l.turns[j.line] < l.turns[k.line]
	}
	return j.before(k)
}

// first returns the run of a line that may begin, or nil.
func (q *queue) first(l *load, jobs []*job) *job {
	for _, j := range jobs {
		n := l.need(j)
		_, takes := l.open[n.blender]
		switch {
		case !takes, j.run.Session != "" && l.scripts[j.run.Script] > 0:
			return nil
		case j.isFile && (l.scripts[j.run.Script] > 0 || q.waitsBehind(j)):
			continue
		case l.counts(j) && l.counted >= l.parallel, l.sole[n] > 0 && !l.follows(j), l.waits[n] > 0, l.sent[n] > 0, n.look && l.sending[n.blender] > 0:
			return nil
		}
		return j
	}
	return nil
}

// waitsBehind reports whether a run of the same script waits for the same Blender before j does, in
// another line.
func (q *queue) waitsBehind(j *job) bool {
	if j.run.Session != "" {
		return false
	}
	for _, k := range q.scripts[j.run.Script] {
		switch {
		case k == j:
			return false
		case k.run.Session == "" && k.run.Blender == j.run.Blender:
			return true
		}
	}
	return false
}

// loadLocked returns what is running and which Blenders take runs. It needs mu.
func (e *Engine) loadLocked() *load {
	l := e.load
	l.parallel = e.parallelLocked()
	clear(l.open)
	for _, w := range e.workers {
		if w.takes && !w.halted && !w.retired && !w.resting && w.kind == w.spec.Kind() {
			l.open[w.name] = w.kind == api.BlenderOpen
		}
	}
	return l
}

// arrives reports whether a run that came after all runs of the queue, and is not in the queue, may
// begin as far as its own line and what is running go. The line of the job is set.
func (q *queue) arrives(l *load, j *job) bool {
	if len(q.lines[j.line]) > 0 || j.line.kind == sessionLine && l.running[j.line] > 0 && !l.follows(j) {
		return false
	}
	return q.first(l, []*job{j}) == j
}

// nextLocked returns the run that the worker should begin next, or nil. The engine's arrival is the
// next where no run of the queue may begin: all of them came before. nextLocked needs mu.
//
// Another worker's run whose turn is before takes its place: that worker begins the run, or finds
// that its Blender is not free, and then the place is there again.
func (e *Engine) nextLocked(w *worker) (next *job, early bool) {
	if w.halted || w.retired || e.stopping || e.queue.len() == 0 && e.arrival == nil {
		return nil, false
	}
	l := e.loadLocked()
	mine := func(blender string) bool { return blender == w.name }
	for {
		j, early := e.queue.next(l, mine)
		switch a := e.arrival; {
		case j == nil && a != nil && a.job.run.Blender == w.name && e.queue.arrives(l, a.job):
			return a.job, false
		case j == nil || j.run.Blender == w.name:
			return j, early
		}
		l.add(j)
		defer l.remove(j)
	}
}
