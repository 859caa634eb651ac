package engine

import (
	"context"
	"slices"
	"strconv"
	"time"

	"blendtray/api"
	"blendtray/blender"
)

// job is a run that has not ended, in memory. Its fields are guarded by Engine.mu, except
// those that never change after it was made and out, which guards itself.
type job struct {
	id    int64
	place int64 // where in the queue it stands: its own id, or that of the run it replaced
	run   api.Run
	// isFile tells that run.Script is a path; dir is the working directory when it is not.
	isFile bool
	dir    string
	limit  time.Duration
	code   []byte // nil: in the database only

	worker   *worker // which executes it; nil while it is queued
	attempts int     // how often Blender did not take it
	ctx      context.Context
	cancel   context.CancelCauseFunc // nil while it is queued
	why      string                  // why it was asked to end, "" when it was not
	byStop   bool                    // it was asked to end because Blender is being stopped
	began    time.Time               // when it started, with the monotonic clock
	out      *capture
}

// request is the job as Blender is asked to do it.
func (j *job) request(code []byte) blender.Request {
	req := blender.Request{
		ID: j.run.ID, Code: code, Args: j.run.Args, Scene: j.run.Scene, TimeLimit: j.limit,
		// What a watched folder keeps is its own; others look at what the last run left.
		Isolation: j.run.Isolation, Look: j.run.Isolation == api.IsolateKeep && j.run.Folder == "",
	}
	if j.isFile {
		req.File = j.run.Script
	} else {
		req.Name, req.Dir = j.run.Script, j.dir
	}
	return req
}

// keptCode is how many bytes of source the queue keeps in memory; what is beyond is read
// from the database when its turn comes.
const keptCode = 16 << 20

// queue is the runs that wait, in the order of their places.
type queue struct {
	jobs []*job
	ids  map[int64]*job
	code int // bytes of source in memory
}

func (q *queue) len() int { return len(q.jobs) }

// push puts j where its place says.
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

// next returns the first run that fits and may run while those in running do, or nil: two runs
// of one script are never running at the same time.
func (q *queue) next(running map[int64]*job, fits func(*job) bool) *job {
	for _, j := range q.jobs {
		if fits(j) && (!j.isFile || !runs(running, j.run.Script)) {
			return j
		}
	}
	return nil
}

// has reports whether a run waits that names a Blender.
func (q *queue) has(blender string) bool {
	return slices.ContainsFunc(q.jobs, func(j *job) bool { return j.run.Blender == blender })
}

// isolated returns how many runs wait for a Blender in which nothing has run.
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

// saved is the run that waits for a save of script, or nil.
func (q *queue) saved(script string) *job {
	for _, j := range q.jobs {
		if j.run.Source == api.FromFolder && j.run.Script == script {
			return j
		}
	}
	return nil
}

func (q *queue) find(id int64) *job { return q.ids[id] }

// formatID and parseID: an id is the decimal of the run's number in the database, which is
// never used twice.
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
