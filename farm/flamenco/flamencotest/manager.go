// Package flamencotest has a manager for tests, made from the description that Flamenco 3 publishes of its
// interface, because Flamenco's own manager can't be fetched as a Go module. It checks what a worker sends
// against that description, more strictly than Flamenco does, and is no manager that anybody could use.
package flamencotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg" // what workers send
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Command is a command of a task.
type Command struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters"`
}

// Task is a task and what became of it. Its fields are read by [Manager.Task].
type Task struct {
	ID, Name, JobType, Type string
	Commands                []Command
	Status                  string // queued, active, completed, failed, canceled
	Activities              []string
	Log                     string
	Worker                  string
	Given                   int // how often it was given to a worker
	Pictures                int
	Size                    image.Point // of the last picture
}

// Worker is a worker as the manager knows it.
type Worker struct {
	ID, Secret, Name, Version string
	Types                     []string
	Status                    string // as the worker has said last
	Wanted                    string // the status that a person has asked for, or ""
	Tags                      []string
	SignedOn, SignedOff       int
	Asked                     int // how often it has asked for a task
}

// Manager is a manager at URL.
type Manager struct {
	URL string

	t      testing.TB
	server *httptest.Server

	mu      sync.Mutex
	tasks   []*Task
	workers map[string]*Worker
	tags    map[string]string // names by id
	broken  map[string]int    // by the part of a path, the status of the answers to it
	next    int
}

// New returns a manager that runs until the test ends.
func New(t testing.TB) *Manager {
	m := &Manager{t: t, workers: map[string]*Worker{}, tags: map[string]string{}, broken: map[string]int{}}
	mux := http.NewServeMux()
	const api = "/api/v3/"
	mux.HandleFunc("GET "+api+"version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"version": "3.7", "shortversion": "3.7", "name": "Flamenco", "git": "abc"})
	})
	mux.HandleFunc("POST "+api+"worker/register-worker", m.register)
	mux.HandleFunc("POST "+api+"worker/sign-on", m.known(m.signOn))
	mux.HandleFunc("POST "+api+"worker/sign-off", m.known(m.signOff))
	mux.HandleFunc("GET "+api+"worker/state", m.known(m.state))
	mux.HandleFunc("POST "+api+"worker/state-changed", m.known(m.stateChanged))
	mux.HandleFunc("POST "+api+"worker/task", m.known(m.schedule))
	mux.HandleFunc("POST "+api+"worker/task/{id}", m.known(m.update))
	mux.HandleFunc("GET "+api+"worker/task/{id}/may-i-run", m.known(m.mayRun))
	mux.HandleFunc("POST "+api+"worker/task/{id}/output-produced", m.known(m.output))
	mux.HandleFunc("GET "+api+"worker-mgt/tags", m.listTags)
	mux.HandleFunc("POST "+api+"worker-mgt/workers/{id}/settags", m.setTags)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the interface has no %s %s", r.Method, r.URL)
		fail(w, http.StatusNotFound, "not there")
	})
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := m.brokenNow(r.URL.Path); code != 0 {
			fail(w, code, "broken by the test")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(m.server.Close)
	m.URL = m.server.URL
	return m
}

// Add adds a task for workers.
func (m *Manager) Add(kind string, commands ...Command) (id string) {
	return m.AddTask(Task{Name: "task of a test", JobType: "test", Type: kind, Commands: commands})
}

// AddTask adds a task whose names, type and commands are given.
func (m *Manager) AddTask(task Task) (id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	task.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", m.next)
	task.Status = "queued"
	m.tasks = append(m.tasks, &task)
	return task.ID
}

// Task returns a task as it is now.
func (m *Manager) Task(id string) Task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.taskLocked(id)
}

// Cancel cancels a task.
func (m *Manager) Cancel(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.taskLocked(id).Status = "canceled"
}

// Requeue has a task wait again, for any worker.
func (m *Manager) Requeue(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	task := m.taskLocked(id)
	task.Status, task.Worker = "queued", ""
}

// Want asks all workers for a status.
func (m *Manager) Want(status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		w.Wanted = status
	}
}

// Workers returns the workers.
func (m *Manager) Workers() (all []Worker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.workers {
		all = append(all, *w)
	}
	slices.SortFunc(all, func(a, b Worker) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Forget forgets all workers.
func (m *Manager) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.workers = map[string]*Worker{}
}

// AddTag adds a tag and returns its id.
func (m *Manager) AddTag(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := fmt.Sprintf("11111111-0000-4000-8000-%012d", m.next)
	m.tags[id] = name
	return id
}

// Break has requests whose path has a part answered with a status, 0 for as usual again.
func (m *Manager) Break(part string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken[part] = code
}

func (m *Manager) brokenNow(path string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for part, code := range m.broken {
		if strings.Contains(path, part) {
			return code
		}
	}
	return 0
}

func (m *Manager) taskLocked(id string) *Task {
	for _, t := range m.tasks {
		if t.ID == id {
			return t
		}
	}
	return &Task{}
}

// The handlers. Each checks what it is sent.

func (m *Manager) register(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name     string   `json:"name"`
		Secret   string   `json:"secret"`
		Platform string   `json:"platform"`
		Types    []string `json:"supported_task_types"`
	}
	if !m.read(w, r, &in) {
		return
	}
	if in.Name == "" || len(in.Secret) < 32 || in.Platform == "" || len(in.Types) == 0 {
		m.t.Errorf("a worker registers with %+v", in)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	worker := &Worker{ID: fmt.Sprintf("22222222-0000-4000-8000-%012d", m.next), Secret: in.Secret, Name: in.Name, Types: in.Types}
	m.workers[worker.ID] = worker
	answer(w, http.StatusOK, map[string]any{
		"uuid": worker.ID, "name": in.Name, "address": "127.0.0.1", "status": "", "platform": in.Platform,
		"software": "", "supported_task_types": in.Types,
	})
}

func (m *Manager) signOn(w http.ResponseWriter, r *http.Request, worker *Worker) {
	var in struct {
		Name       string   `json:"name"`
		Types      []string `json:"supported_task_types"`
		Version    string   `json:"software_version"`
		CanRestart bool     `json:"can_restart"`
	}
	if !m.read(w, r, &in) {
		return
	}
	if in.Name == "" || in.Version == "" || len(in.Types) == 0 {
		m.t.Errorf("a worker signs on with %+v", in)
	}
	worker.Name, worker.Types, worker.Version, worker.Status = in.Name, in.Types, in.Version, "starting"
	worker.SignedOn++
	wanted := "awake"
	if worker.Wanted == "asleep" {
		wanted = worker.Wanted
	}
	answer(w, http.StatusOK, map[string]string{"status_requested": wanted})
}

func (m *Manager) signOff(w http.ResponseWriter, _ *http.Request, worker *Worker) {
	worker.SignedOff++
	m.toLocked(worker, "offline")
	w.WriteHeader(http.StatusNoContent)
}

// toLocked gives a worker a status. Tasks of a worker that is not awake any more wait again.
func (m *Manager) toLocked(worker *Worker, status string) {
	worker.Status = status
	if worker.Wanted == status || status == "offline" {
		worker.Wanted = ""
	}
	for _, t := range m.tasks {
		if status != "awake" && t.Worker == worker.ID && t.Status == "active" {
			t.Status, t.Worker = "queued", ""
		}
	}
}

func (m *Manager) state(w http.ResponseWriter, _ *http.Request, worker *Worker) {
	if worker.Wanted == "" || worker.Wanted == worker.Status {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, http.StatusOK, map[string]string{"status_requested": worker.Wanted})
}

func (m *Manager) stateChanged(w http.ResponseWriter, r *http.Request, worker *Worker) {
	var in struct {
		Status string `json:"status"`
	}
	if !m.read(w, r, &in) {
		return
	}
	if !slices.Contains([]string{"starting", "awake", "asleep", "error", "testing", "offline", "restart"}, in.Status) {
		m.t.Errorf("a worker says that it is %q", in.Status)
	}
	m.toLocked(worker, in.Status)
	w.WriteHeader(http.StatusNoContent)
}

func (m *Manager) schedule(w http.ResponseWriter, _ *http.Request, worker *Worker) {
	worker.Asked++
	switch {
	case worker.Wanted != "" && worker.Wanted != worker.Status:
		answer(w, http.StatusLocked, map[string]string{"status_requested": worker.Wanted})
		return
	case worker.Status != "awake":
		fail(w, http.StatusConflict, "the worker is not awake")
		return
	}
	for _, t := range m.tasks {
		if t.Status != "queued" || !slices.Contains(worker.Types, t.Type) {
			continue
		}
		t.Status, t.Worker = "active", worker.ID
		t.Given++
		answer(w, http.StatusOK, map[string]any{
			"uuid": t.ID, "job": "33333333-0000-4000-8000-000000000001", "name": t.Name, "status": "active", "priority": 50,
			"job_priority": 50, "job_type": t.JobType, "task_type": t.Type, "commands": t.Commands,
		})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// own returns the task of a request, nil after an answer that says that it is not the worker's.
func (m *Manager) own(w http.ResponseWriter, r *http.Request, worker *Worker) *Task {
	t := m.taskLocked(r.PathValue("id"))
	switch {
	case t.ID == "":
		fail(w, http.StatusNotFound, "there is no such task")
		return nil
	case t.Worker != worker.ID:
		fail(w, http.StatusConflict, "the task is another worker's")
		return nil
	}
	return t
}

func (m *Manager) update(w http.ResponseWriter, r *http.Request, worker *Worker) {
	var in struct {
		Status   *string `json:"taskStatus"`
		Activity *string `json:"activity"`
		Log      *string `json:"log"`
	}
	if !m.read(w, r, &in) {
		return
	}
	t := m.own(w, r, worker)
	if t == nil {
		return
	}
	if in.Log != nil {
		t.Log += *in.Log
	}
	if in.Activity != nil {
		t.Activities = append(t.Activities, *in.Activity)
	}
	if in.Status != nil {
		if !slices.Contains([]string{"active", "completed", "failed"}, *in.Status) {
			m.t.Errorf("a task is said to be %q", *in.Status)
		}
		if t.Status != "canceled" { // which a worker may not know yet
			t.Status = *in.Status
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m *Manager) mayRun(w http.ResponseWriter, r *http.Request, worker *Worker) {
	t := m.taskLocked(r.PathValue("id"))
	changes := worker.Wanted != "" && worker.Wanted != worker.Status
	may := t.Status == "active" && t.Worker == worker.ID && !changes
	reason := ""
	if !may {
		reason = "the task is " + t.Status
	}
	answer(w, http.StatusOK, map[string]any{"mayKeepRunning": may, "reason": reason, "statusChangeRequested": changes})
}

func (m *Manager) output(w http.ResponseWriter, r *http.Request, worker *Worker) {
	t := m.taskLocked(r.PathValue("id"))
	text, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "image/jpeg" || r.ContentLength != int64(len(text)) {
		m.t.Errorf("a picture of %d bytes is sent as %v: %v", len(text), r.Header, err)
	}
	picture, format, err := image.DecodeConfig(bytes.NewReader(text))
	if err != nil || format != "jpeg" {
		m.t.Errorf("a worker has sent a picture that is none: %s, %v", format, err)
	}
	t.Pictures++
	t.Size = image.Pt(picture.Width, picture.Height)
	w.WriteHeader(http.StatusAccepted)
}

func (m *Manager) listTags(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tags := []map[string]string{}
	for id, name := range m.tags {
		tags = append(tags, map[string]string{"id": id, "name": name, "description": ""})
	}
	answer(w, http.StatusOK, map[string]any{"tags": tags})
}

func (m *Manager) setTags(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Tags []string `json:"tag_ids"`
	}
	if !m.read(w, r, &in) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	worker := m.workers[r.PathValue("id")]
	if worker == nil {
		fail(w, http.StatusNotFound, "there is no such worker")
		return
	}
	worker.Tags = nil
	for _, id := range in.Tags {
		worker.Tags = append(worker.Tags, m.tags[id])
	}
	w.WriteHeader(http.StatusNoContent)
}

// known calls a handler for a worker that has shown its secret, with the lock held.
func (m *Manager) known(handle func(http.ResponseWriter, *http.Request, *Worker)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		m.mu.Lock()
		defer m.mu.Unlock()
		worker := m.workers[id]
		if worker == nil || worker.Secret != secret {
			answer(w, http.StatusForbidden, map[string]string{"message": "unknown worker"})
			return
		}
		handle(w, r, worker)
	}
}

// read reads a document. It complains of fields that the description does not have.
func (m *Manager) read(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || r.Header.Get("Content-Type") != "application/json" {
		m.t.Errorf("%s %s: %v, as %s", r.Method, r.URL, err, r.Header.Get("Content-Type"))
		fail(w, http.StatusBadRequest, fmt.Sprint(err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, code int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(document) // the worker has gone
}

func fail(w http.ResponseWriter, code int, message string) {
	answer(w, code, map[string]any{"code": code, "message": message})
}
