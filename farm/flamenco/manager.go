package flamenco

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// status is the status of a worker.
type status string

// The statuses of a worker.
const (
	awake   status = "awake"
	asleep  status = "asleep"
	offline status = "offline"
	restart status = "restart"
)

// taskStatus is the status of a task, as far as a worker sets it.
type taskStatus string

const (
	taskActive    taskStatus = "active"
	taskCompleted taskStatus = "completed"
	taskFailed    taskStatus = "failed"
)

// The documents that go over the wire. The names of their fields are Flamenco's.
type (
	registration struct {
		Name     string   `json:"name"`
		Secret   string   `json:"secret"`
		Platform string   `json:"platform"`
		Types    []string `json:"supported_task_types"`
	}
	registered struct {
		ID string `json:"uuid"`
	}
	signOn struct {
		Name       string   `json:"name"`
		Types      []string `json:"supported_task_types"`
		Version    string   `json:"software_version"`
		CanRestart bool     `json:"can_restart"`
	}
	stateChange struct {
		Status status `json:"status_requested"`
	}
	stateChanged struct {
		Status status `json:"status"`
	}
	assignedTask struct {
		ID       string    `json:"uuid"`
		Job      string    `json:"job"`
		Name     string    `json:"name"`
		JobType  string    `json:"job_type"`
		Type     string    `json:"task_type"`
		Commands []command `json:"commands"`
	}
	command struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	}
	taskUpdate struct {
		Status   taskStatus `json:"taskStatus,omitempty"`
		Activity string     `json:"activity,omitempty"`
		Log      string     `json:"log,omitempty"`
	}
	mayRun struct {
		May           bool   `json:"mayKeepRunning"`
		Reason        string `json:"reason"`
		StatusChanges bool   `json:"statusChangeRequested"`
	}
	tag struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	tagList struct {
		Tags []tag `json:"tags"`
	}
	tagChange struct {
		Tags []string `json:"tag_ids"`
	}
	managerVersion struct {
		Version string `json:"version"`
		Name    string `json:"name"`
	}
)

// answerError is an answer of a manager that is no success.
type answerError struct {
	code    int
	message string
}

func (e *answerError) Error() string {
	if e.message == "" {
		return "the manager answered " + http.StatusText(e.code)
	}
	return "the manager answered: " + e.message
}

// codeOf returns the HTTP status of an error, 0 when no manager has answered.
func codeOf(err error) int {
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.code
	}
	return 0
}

// passes reports whether an error may go away by itself: nobody answered, or the manager is busy.
func passes(err error) bool {
	code := codeOf(err)
	return code == 0 || code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout
}

// unknown reports whether an error says that the manager does not know these credentials.
func unknown(err error) bool {
	switch codeOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return false
}

// manager asks the manager. Many goroutines may call its methods. They fail with an [*answerError] when
// the manager refuses, and with another error when it does not answer.
type manager struct {
	base, agent string
	http        *http.Client

	mu          sync.Mutex
	credentials credentials
}

// credentials are by what a manager knows a worker.
type credentials struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

const (
	// askTime is how long a manager may take to answer.
	askTime = 30 * time.Second
	// maxAnswer is how much of an answer is read: a task may have a long list of frames.
	maxAnswer = 16 << 20
)

func newManager(base, agent string) *manager {
	return &manager{base: base + "/api/v3/", agent: agent, http: &http.Client{Timeout: askTime}}
}

func (m *manager) setCredentials(c credentials) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.credentials = c
}

// send sends a request with a body of a type, and returns the status and the body of a good answer.
func (m *manager) send(ctx context.Context, method, path, kind string, body []byte) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, reader)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", m.agent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	m.mu.Lock()
	if m.credentials.ID != "" {
		req.SetBasicAuth(m.credentials.ID, m.credentials.Secret)
	}
	m.mu.Unlock()
	res, err := m.http.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err // the text of the outer error has the whole URL
		}
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, err
	}
	if res.StatusCode/100 != 2 {
		var told struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(text, &told) // an answer without a message has its status
		return res.StatusCode, text, &answerError{res.StatusCode, strings.TrimSpace(told.Message)}
	}
	return res.StatusCode, text, nil
}

// ask sends a document, none for nil, and reads the answer into out, unless the answer has nothing in
// it. It returns the status of the answer.
func (m *manager) ask(ctx context.Context, method, path string, in, out any) (int, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return 0, err
		}
	}
	code, text, err := m.send(ctx, method, path, "application/json", body)
	if code == http.StatusLocked { // an answer like others: the worker is to be in another state
		err = nil
	}
	if err != nil || out == nil || code == http.StatusNoContent {
		return code, err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return code, fmt.Errorf("an answer of the manager to %s: %w", path, err)
	}
	return code, nil
}

// version returns the manager's version. It fails with [errNoManager] when a server answers that is no
// manager of Flamenco 3.
func (m *manager) version(ctx context.Context) (managerVersion, error) {
	var v managerVersion
	_, err := m.ask(ctx, http.MethodGet, "version", nil, &v)
	var syntax *json.SyntaxError
	if (err != nil && !passes(err)) || errors.As(err, &syntax) || (err == nil && v.Version == "") {
		return v, errNoManager
	}
	return v, err
}

var errNoManager = errors.New("what answers there is no manager of Flamenco 3")

func (m *manager) register(ctx context.Context, r registration) (registered, error) {
	var out registered
	_, err := m.ask(ctx, http.MethodPost, "worker/register-worker", r, &out)
	if err == nil && out.ID == "" {
		err = errors.New("the manager has registered the worker and named no id")
	}
	return out, err
}

func (m *manager) signOn(ctx context.Context, s signOn) (status, error) {
	var out stateChange
	_, err := m.ask(ctx, http.MethodPost, "worker/sign-on", s, &out)
	return out.Status, err
}

func (m *manager) signOff(ctx context.Context) error {
	_, err := m.ask(ctx, http.MethodPost, "worker/sign-off", nil, nil)
	return err
}

// state returns the status that the manager wants, "" when it wants no other.
func (m *manager) state(ctx context.Context) (status, error) {
	var out stateChange
	_, err := m.ask(ctx, http.MethodGet, "worker/state", nil, &out)
	return out.Status, err
}

func (m *manager) stateChanged(ctx context.Context, s status) error {
	_, err := m.ask(ctx, http.MethodPost, "worker/state-changed", stateChanged{s}, nil)
	return err
}

// task returns a task, or the status that the manager wants, or neither.
func (m *manager) task(ctx context.Context) (*assignedTask, status, error) {
	var answer struct {
		assignedTask
		stateChange
	}
	code, err := m.ask(ctx, http.MethodPost, "worker/task", nil, &answer)
	switch {
	case err != nil:
		return nil, "", err
	case code == http.StatusOK:
		return &answer.assignedTask, "", nil
	case code == http.StatusLocked:
		return nil, answer.Status, nil
	}
	return nil, "", nil
}

func (m *manager) update(ctx context.Context, task string, u taskUpdate) error {
	_, err := m.ask(ctx, http.MethodPost, "worker/task/"+url.PathEscape(task), u, nil)
	return err
}

func (m *manager) mayRun(ctx context.Context, task string) (mayRun, error) {
	var out mayRun
	_, err := m.ask(ctx, http.MethodGet, "worker/task/"+url.PathEscape(task)+"/may-i-run", nil, &out)
	return out, err
}

// picture sends a JPEG file that a task has made.
func (m *manager) picture(ctx context.Context, task string, jpeg []byte) error {
	_, _, err := m.send(ctx, http.MethodPost, "worker/task/"+url.PathEscape(task)+"/output-produced", "image/jpeg", jpeg)
	return err
}

func (m *manager) tags(ctx context.Context) ([]tag, error) {
	var out tagList
	_, err := m.ask(ctx, http.MethodGet, "worker-mgt/tags", nil, &out)
	return out.Tags, err
}

func (m *manager) setTags(ctx context.Context, worker string, ids []string) error {
	_, err := m.ask(ctx, http.MethodPost, "worker-mgt/workers/"+url.PathEscape(worker)+"/settags", tagChange{ids}, nil)
	return err
}
