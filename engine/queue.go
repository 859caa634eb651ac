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
	dir    string
	limit  time.Duration
	code   []byte // nil when only the database has it

	worker   *worker   // the worker that executes the job; nil while the job is queued
	patience time.Time // until when the job waits for an open Blender; zero while it need not wait
	attempts int       // how often engines before this one have sent it
	refusals int       // how often a Blender has died with it before it began
	repeats  int       // how often the engine has repeated it by itself: see FolderSettings.Retries
	again    bool      // a save of the same bytes is to run again, though the run has begun
	repeat   bool      // it has ended because Blender died, and is still to be repeated
	saved    bool      // its end is in the database
	carried  []string  // the paths to which the script was renamed since it was saved
	chain    chain     // how a save came about that a run has made
	journal  journal   // Engine.turn guards it
	over     time.Time // when the job has ended; zero before
	until    time.Time // until when at least an ended job explains saves
	ctx      context.Context
	cancel   context.CancelCauseFunc // nil while it is queued
	why      string                  // why the job was asked to end, or ""
	byStop   bool                    // the job was asked to end because Blender is being stopped
	requeue  bool                    // it waits again for the next engine when it has ended before its end
	began    time.Time               // when the job started, with the monotonic clock
	out      *capture
}

// request returns the job in the form in which a Blender gets it.
func (j *job) request(code []byte) blender.Request {
	req := blender.Request{
		ID: j.run.ID, Code: code, Args: j.run.Args, Scene: j.run.Scene, TimeLimit: j.limit,
		// A watched folder keeps its own state; other runs look at what the last run left.
		Isolation: j.run.Isolation, Look: j.run.Isolation == api.IsolateKeep && j.run.Folder == "" && j.run.Session == "",
		Session: j.run.Session, Leftover: blender.LeftoverBlender,
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
	req.Journal = j.journal.path
	return req
}

// keptCode is how many bytes of source the queue keeps in memory; the worker reads source beyond
// that from the database when the run's turn comes.
const keptCode = 16 << 20

// queue holds the waiting runs, in the order of their places.
type queue struct {
	jobs []*job
	ids  map[int64]*job
	code int // bytes of source in memory
}

func (q *queue) len() int { return len(q.jobs) }

// push inserts j at its place.
func (q *queue) push(j *job) {
	if q.code+len(j.code) > keptCode {
		j.code = nil
	}
	q.code += len(j.code)
	i := len(q.jobs)
	for i > 0 && (q.jobs[i-1].place > j.place || q.jobs[i-1].place == j.place && q.jobs[i-1].id > j.id) {
		i--
	}
	q.jobs = slices.Insert(q.jobs, i, j)
	if q.ids == nil {
		q.ids = map[int64]*job{}
	}
	q.ids[j.id] = j
}

func (q *queue) remove(j *job) {
	if i := slices.Index(q.jobs, j); i >= 0 {
		q.code -= len(j.code)
		q.jobs = slices.Delete(q.jobs, i, i+1)
		delete(q.ids, j.id)
	}
}

// next returns the first waiting run that fits and whose script is not running, or nil: two runs
// of the same script are never running at the same time.
func (q *queue) next(running map[int64]*job, fits func(*job) bool) *job {
	for _, j := range q.jobs {
		if fits(j) && (!j.isFile || !runs(running, j.run.Script)) {
			return j
		}
	}
	return nil
}

// has reports whether a waiting run names a Blender.
func (q *queue) has(blender string) bool {
	return slices.ContainsFunc(q.jobs, func(j *job) bool { return j.run.Blender == blender })
}

// isolated returns how many waiting runs need a Blender in which nothing has run.
func (q *queue) isolated() (n int) {
	for _, j := range q.jobs {
		if j.run.Isolation == api.IsolateProcess {
			n++
		}
	}
	return n
}

// openBlenders returns the names of the open Blenders that waiting runs ask for.
func (q *queue) openBlenders() (names []string) {
	for _, j := range q.jobs {
		if _, ok := openPID(j.run.Blender); ok && !slices.Contains(names, j.run.Blender) {
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

// saved returns the run that waits for a save of script, or nil.
func (q *queue) saved(script string) *job {
	for _, j := range q.jobs {
		if j.run.Source == api.FromFolder && j.run.Script == script {
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
