package engine

import (
	"context"
	"slices"
	"strconv"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// job is a run in memory that has not ended. Engine.mu guards its fields, except the fields that
// never change after the job was made, and out, which guards itself.
type job struct {
	id    int64
	place int64 // its place in the queue: its own id, or the place of the run that it replaced
	run   api.Run
	// isFile is true when run.Script is a path; otherwise dir is the working directory.
	isFile bool
	echo   bool // the value of the last expression is shown
	// confined: the session begins in a Blender that is confined.
	confined bool
	// tellsImports: its run tells in the end what it has imported.
	tellsImports bool
	patient      bool // it was taken back once, and is not sent again before its Blender is free
	again        bool // a save of the same bytes is to run again, though the run has begun
	repeat       bool // it has ended because Blender died, and is still to be repeated
	saved        bool // its end is in the database
	older        bool // it was made for an engine before this one
	dir          string
	left         string // the isolated run whose scene it saves: see blender.Request.Left; "" for other jobs
	limit        time.Duration
	code         []byte // nil when only the database has it

	line     line      // whose turn it waits for; set by queue.push
	peer     string    // which programs of the user ask together, as control knows; "" where it does not
	worker   *worker   // the worker that executes the job; nil while the job is queued
	stake    *stake    // what it has of Engine.load; nil while it is queued
	patience time.Time // until when the job waits for an open Blender; zero while it need not wait
	attempts int32     // how often engines before this one have sent it
	refusals int32     // how often a Blender has died with it before it began
	repeats  int32     // how often the engine has repeated it by itself: see FolderSettings.Retries
	carried  []string  // the paths to which the script was renamed since it was saved
	chain    *chain    // how a save came about that a run has made; nil for a person's save
	rendered *rendered // the frames that Blenders before the current one have rendered, or nil; Engine.turn guards it

	// Ten thousand jobs may wait, so a job has the following from the time on at which it is sent.

	journal    *journal // Engine.turn guards it; nil while the job is queued
	late       lateness
	*execution          // nil before the job is sent
	out        *capture // nil before the job is sent
}

// execution is what a job has beside its run from the time on at which it is sent.
type execution struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	why     string    // why the job was asked to end, or ""
	byStop  bool      // the job was asked to end because Blender is being stopped
	requeue bool      // it waits again for the next engine when it has ended before its end
	follows time.Time // when the job was sent while the run before it in its session went on; else zero
	back    bool      // it was sent so, and is taken back, because that run goes on for longer
	waited  bool      // other runs waited for its Blender when it ended
	began   time.Time // when the job started, with the monotonic clock
	over    time.Time // when the job has ended; zero before
	until   time.Time // until when at least an ended job explains saves
	// imports is what the run has imported, as [blender.Outcome] has it.
	imports [][2]string
}

// newExecution returns the execution of a job that is about to be sent.
func newExecution() *execution {
	x := &execution{}
	x.ctx, x.cancel = context.WithCancelCause(context.Background())
	return x
}

// request returns the job in the form in which a Blender gets it.
func (j *job) request(code []byte) blender.Request {
	req := blender.Request{
		ID: j.run.ID, Code: code, Args: j.run.Args, Scene: j.run.Scene, TimeLimit: j.limit,
		// A watched folder keeps its own state; other runs look at what the last run left.
		Isolation: j.run.Isolation, Look: j.run.Isolation == api.IsolateKeep && j.run.Folder == "" && j.run.Session == "",
		Left: j.left, Session: j.run.Session, Confined: j.confined, Echo: j.echo, Operation: operationOf(&j.run), Leftover: blender.LeftoverBlender,
		Limits: blender.Limits{
			Memory: uint64(j.run.Limits.MaxMemory), Nice: j.run.Limits.Nice, Processes: j.run.Limits.MaxProcesses,
		},
	}
	if j.run.Leftover == api.LeftoverRun {
		req.Leftover = blender.LeftoverRun
	}
	if j.isFile {
		req.File = j.run.Script
	} else {
		req.Name, req.Dir = j.run.Script, j.dir
	}
	if j.journal != nil {
		req.Journal = j.journal.path
	}
	if j.older {
		req.SessionGone = "the engine had ended"
	}
	if j.run.Render != nil {
		req.Render = &blender.Render{Render: *j.run.Render}
		if r := j.rendered; r != nil {
			req.Render.Done, req.Render.Begun, req.Render.Since = r.Done, r.Begun, r.Since
		}
	}
	return req
}

// keptCode is how many bytes of source the queue keeps in memory; the worker reads source beyond
// that from the database when the run's turn comes.
const keptCode = 16 << 20

// queue holds the waiting runs, in the order of their places.
type queue struct {
	jobs    []*job
	ids     map[int64]*job
	lines   map[line][]*job   // the runs of each folder, client and session, in their order
	scripts map[string][]*job // the runs of each file, in their order
	needs   map[need]int      // how many runs ask for the same
	code    int               // bytes of source in memory
}

func (q *queue) len() int { return len(q.jobs) }

// push inserts j at its place.
func (q *queue) push(j *job) {
	if q.ids == nil {
		*q = queue{ids: map[int64]*job{}, lines: map[line][]*job{}, scripts: map[string][]*job{}, needs: map[need]int{}}
	}
	if q.code+len(j.code) > keptCode && !j.late.missing {
		j.code = nil
	}
	q.code += len(j.code)
	j.line = lineOf(j)
	q.jobs = insertJob(q.jobs, j)
	q.ids[j.id] = j
	q.lines[j.line] = insertJob(q.lines[j.line], j)
	q.needs[j.need()]++
	if j.isFile {
		q.scripts[j.run.Script] = insertJob(q.scripts[j.run.Script], j)
	}
}

// before reports whether j comes before k in the queue.
func (j *job) before(k *job) bool { return j.place < k.place || j.place == k.place && j.id < k.id }

// insertJob inserts a job at its place, which is nearly always the end.
func insertJob(jobs []*job, j *job) []*job {
	i := len(jobs)
	for i > 0 && j.before(jobs[i-1]) {
		i--
	}
	return slices.Insert(jobs, i, j)
}

func (q *queue) remove(j *job) {
	if q.ids[j.id] != j {
		return
	}
	q.code -= len(j.code)
	q.jobs = deleteJob(q.jobs, j)
	delete(q.ids, j.id)
	if q.lines[j.line] = deleteJob(q.lines[j.line], j); len(q.lines[j.line]) == 0 {
		delete(q.lines, j.line)
	}
	if q.needs[j.need()]--; q.needs[j.need()] == 0 {
		delete(q.needs, j.need())
	}
	if script := j.run.Script; j.isFile {
		if q.scripts[script] = deleteJob(q.scripts[script], j); len(q.scripts[script]) == 0 {
			delete(q.scripts, script)
		}
	}
}

func deleteJob(jobs []*job, j *job) []*job {
	if i := slices.Index(jobs, j); i >= 0 {
		return slices.Delete(jobs, i, i+1)
	}
	return jobs
}

// has reports whether a waiting run names a Blender.
func (q *queue) has(blender string) bool {
	for n := range q.needs {
		if n.blender == blender {
			return true
		}
	}
	return false
}

// isolated returns how many waiting runs need a Blender in which nothing has run, of those that name
// a Blender, or with "" of all.
func (q *queue) isolated(blender string) (runs int) {
	for n, count := range q.needs {
		_, farm := api.FarmAsks(n.blender)
		if n.isolation == api.IsolateProcess && (blender == "" && !farm || n.blender == blender) {
			runs += count
		}
	}
	return runs
}

// passing returns the names for which waiting runs need a worker that [Engine.attachLocked] makes.
func (q *queue) passing() (names []string) {
	for _, j := range q.jobs {
		if isAlwaysThere(j.run.Blender) && !slices.Contains(names, j.run.Blender) {
			names = append(names, j.run.Blender)
		}
	}
	return names
}

func runs(running map[int64]*job, script string) bool {
	for _, r := range running {
		if r.isFile && r.run.Script == script {
			return true
		}
	}
	return false
}

// saved returns the run that waits for a save of script, or of a module of it, or nil.
func (q *queue) saved(script string) *job {
	for _, j := range q.scripts[script] {
		if j.run.Source == api.FromFolder || j.run.Source == api.FromModule {
			return j
		}
	}
	return nil
}

func (q *queue) find(id int64) *job { return q.ids[id] }

// formatID returns the id of a run, and parseID is its inverse. An id is the decimal of the
// run's number in the database, which is never used twice.
func formatID(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func parseID(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0 && formatID(n) == id
}
