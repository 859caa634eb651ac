package engine

import "container/heap"

// upcoming foresees the order in which the runs of a queue begin if one begins after the other and each
// finds a Blender: what [queue.next] would return, again and again. It neither changes the queue nor
// copies it, and looks at each line once and then at what has come, so that the first runs of a long
// queue cost no more than those of a short queue. The queue must stay as it is meanwhile.
type upcoming struct {
	queue   *queue
	lines   map[line]*coming
	turn    int
	hurried bool
	gone    map[*job]bool
	heads   map[scriptOf]int // before this, all runs of a script in a Blender have begun
	// turns has each run that may begin, hands those that go before what is left of a burst, and aheads
	// those that somebody has put ahead of all others.
	turns, hands, aheads prospects
}

// coming is a line whose runs begin.
type coming struct {
	jobs    []*job // which have not been looked at
	waiting int    // how many have not begun
	// passed are the runs that have let others pass, because a run of the same script comes before, and
	// free is those of them, in their order, whose turn has come since.
	passed map[*job]bool
	free   []*job
	turn   int  // when the line had its turn last
	next   *job // the run that begins next, or nil
}

// scriptOf is a script in a Blender, whose runs begin one after the other.
type scriptOf struct{ script, blender string }

// newUpcoming returns what comes of a queue. l says whose turn was last.
func newUpcoming(q *queue, l *load) *upcoming {
	u := &upcoming{
		queue: q, lines: make(map[line]*coming, len(q.lines)), turn: l.turn, hurried: l.hurried,
		gone: map[*job]bool{}, heads: map[scriptOf]int{},
	}
	u.aheads.less = func(j, k prospect) bool { return j.job.before(k.job) }
	for key, jobs := range q.lines {
		c := &coming{jobs: jobs, waiting: len(jobs), turn: l.turns[key]}
		u.lines[key] = c
		u.choose(c)
	}
	return u
}

// next returns the run that begins next, or nil when none is left.
func (u *upcoming) next() *job {
	j, early := u.pick()
	if j == nil {
		return nil
	}
	c := u.lines[j.line]
	u.turn++
	c.turn = u.turn
	if j.line.kind != sessionLine {
		u.hurried = early
	}
	u.gone[j] = true
	c.waiting--
	if len(c.free) > 0 && c.free[0] == j {
		c.free = c.free[1:]
	} else {
		c.jobs = c.jobs[1:]
	}
	u.choose(c)
	if next := u.head(j); next != nil && u.lines[next.line].passed[next] {
		other := u.lines[next.line]
		other.free = insertJob(other.free, next)
		u.choose(other)
	}
	return j
}

// pick returns the run that begins next, and whether it begins before its turn, by the rules of
// [queue.next].
func (u *upcoming) pick() (next *job, early bool) {
	turn := u.top(&u.turns)
	if turn == nil {
		return nil, false
	}
	if ahead := u.top(&u.aheads); ahead != nil {
		return ahead, false
	}
	if hand := u.top(&u.hands); hand != nil && hand != turn && !u.hurried && u.lines[turn.line].waiting > fewWaiting {
		return hand, true
	}
	return turn, false
}

// choose finds the run of a line that begins next, and notes it as a prospect.
func (u *upcoming) choose(c *coming) {
	for len(c.jobs) > 0 && u.waitsBehind(c.jobs[0]) {
		if c.passed == nil {
			c.passed = map[*job]bool{}
		}
		c.passed[c.jobs[0]] = true
		c.jobs = c.jobs[1:]
	}
	c.next = nil
	if len(c.jobs) > 0 {
		c.next = c.jobs[0]
	}
	if len(c.free) > 0 && (c.next == nil || c.free[0].before(c.next)) {
		c.next = c.free[0]
	}
	if c.next == nil {
		return
	}
	it := prospect{c.next, c.turn}
	heap.Push(&u.turns, it)
	if c.next.ahead() {
		heap.Push(&u.aheads, it)
	}
	if c.next.byHand() && c.waiting <= fewWaiting {
		heap.Push(&u.hands, it)
	}
}

// waitsBehind reports what [queue.waitsBehind] does of a run that has not begun.
func (u *upcoming) waitsBehind(j *job) bool {
	return j.isFile && j.run.Session == "" && u.head(j) != j
}

// head returns the run of the same script in the same Blender that begins before the others, or nil.
func (u *upcoming) head(j *job) *job {
	if !j.isFile || j.run.Session != "" {
		return nil
	}
	of := scriptOf{j.run.Script, j.run.Blender}
	for all := u.queue.scripts[of.script]; u.heads[of] < len(all); u.heads[of]++ {
		if k := all[u.heads[of]]; k.run.Session == "" && k.run.Blender == of.blender && !u.gone[k] {
			return k
		}
	}
	return nil
}

// top returns the first of some prospects, or nil, and throws away those that hold no more.
func (u *upcoming) top(of *prospects) *job {
	for len(of.all) > 0 {
		first := of.all[0]
		if c := u.lines[first.job.line]; c.next == first.job && c.turn == first.turn {
			return first.job
		}
		heap.Pop(of)
	}
	return nil
}

// prospect is the run of a line that may begin, and when the line had its turn last. It holds as long as
// the line has both.
type prospect struct {
	job  *job
	turn int
}

// prospects is a heap, with the first at its top.
type prospects struct {
	all  []prospect
	less func(j, k prospect) bool // nil is by turn
}

func (c *prospects) Len() int      { return len(c.all) }
func (c *prospects) Swap(i, k int) { c.all[i], c.all[k] = c.all[k], c.all[i] }
func (c *prospects) Push(x any)    { c.all = append(c.all, x.(prospect)) }

func (c *prospects) Less(i, k int) bool {
	a, b := c.all[i], c.all[k]
	if c.less != nil {
		return c.less(a, b)
	}
	return a.turn < b.turn || a.turn == b.turn && a.job.before(b.job)
}

func (c *prospects) Pop() any {
	last := c.all[len(c.all)-1]
	c.all = c.all[:len(c.all)-1]
	return last
}
