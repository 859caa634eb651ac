package control

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"blendtray/api"
)

// maxOutput is the largest index of an output that is looked for.
const maxOutput = 1 << 30

// maxList is how many runs a list may hold; the parameter before asks for older runs.
const maxList = 1000

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) error {
	s.answer(w, http.StatusOK, s.status())
	return nil
}

// status returns the engine's status with an empty array in place of null.
func (s *Server) status() api.Status {
	st := s.engine.Status()
	st.Blenders = orEmpty(st.Blenders)
	st.Processes = orEmpty(st.Processes)
	st.Folders = orEmpty(st.Folders)
	st.Agents = orEmpty(st.Agents)
	return st
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// tidy returns a run in the form that clients rely on, with an empty array in place of null.
func tidy(r api.Run) api.Run {
	r.Args = orEmpty(r.Args)
	r.Outputs = orEmpty(r.Outputs)
	return r
}

func (s *Server) getRuns(w http.ResponseWriter, r *http.Request) error {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	runs, err := s.engine.Runs(r.Context(), f)
	if err != nil {
		return err
	}
	list := make([]api.Run, len(runs))
	for i, run := range runs {
		run.Output = ""
		list[i] = tidy(run)
	}
	s.answer(w, http.StatusOK, list)
	return nil
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) error {
	return s.answerRun(w, http.StatusOK)(s.engine.Run(r.Context(), r.PathValue("id")))
}

func (s *Server) postCancel(w http.ResponseWriter, r *http.Request) error {
	return s.answerRun(w, http.StatusAccepted)(s.engine.Cancel(r.Context(), r.PathValue("id")))
}

func (s *Server) postRetry(w http.ResponseWriter, r *http.Request) error {
	return s.answerRun(w, http.StatusCreated)(s.engine.Retry(r.Context(), r.PathValue("id")))
}

func (s *Server) postStale(w http.ResponseWriter, r *http.Request) error {
	runs, err := s.engine.RunStale(r.Context())
	if err != nil {
		return err
	}
	s.answer(w, http.StatusCreated, orEmpty(runs))
	return nil
}

func (s *Server) answerRun(w http.ResponseWriter, status int) func(api.Run, error) error {
	return func(run api.Run, err error) error {
		if err != nil {
			return err
		}
		s.answer(w, status, tidy(run))
		return nil
	}
}

func (s *Server) getCode(w http.ResponseWriter, r *http.Request) error {
	code, err := s.engine.Code(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.answerBytes(w, http.StatusOK, "text/x-python", code)
	return nil
}

func (s *Server) getChanges(w http.ResponseWriter, r *http.Request) error {
	changes, err := s.engine.Changes(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.answer(w, http.StatusOK, changes)
	return nil
}

// These are the headers of an answer with output: the byte where the text begins, and the number
// of printed bytes in all.
const (
	headerFrom  = "Blendtray-From"
	headerTotal = "Blendtray-Total"
)

func (s *Server) getOutput(w http.ResponseWriter, r *http.Request) error {
	from := int64(0)
	if q := r.URL.Query(); q.Has("from") {
		var ok bool
		if from, ok = number(q.Get("from")); !ok {
			return badRequest("from=%s is not a number of bytes", q.Get("from"))
		}
	}
	text, at, total, err := s.engine.Output(r.Context(), r.PathValue("id"), from)
	if err != nil {
		return err
	}
	w.Header().Set(headerFrom, strconv.FormatInt(at, 10))
	w.Header().Set(headerTotal, strconv.FormatInt(total, 10))
	s.answerBytes(w, http.StatusOK, "text/plain; charset=utf-8", text)
	return nil
}

func (s *Server) getPreview(w http.ResponseWriter, r *http.Request) error {
	picture, err := s.engine.Preview(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.answerBytes(w, http.StatusOK, "image/jpeg", picture)
	return nil
}

func (s *Server) getThumbnail(w http.ResponseWriter, r *http.Request) error {
	n, ok := number(r.PathValue("n"))
	if !ok || n > maxOutput {
		return badRequest("%s is not the index of an output", r.PathValue("n"))
	}
	picture, err := s.engine.Thumbnail(r.Context(), r.PathValue("id"), int(n))
	if err != nil {
		return err
	}
	s.answerBytes(w, http.StatusOK, "image/jpeg", picture)
	return nil
}

func (s *Server) postRun(w http.ResponseWriter, r *http.Request) error {
	streams, err := flag(r.URL.Query(), "stream")
	if err != nil {
		return err
	}
	sub, err := s.readSubmission(w, r)
	if err != nil {
		return err
	}
	if streams {
		return s.streamRun(w, r, sub)
	}
	return s.answerRun(w, http.StatusCreated)(s.engine.Submit(r.Context(), sub))
}

// submission is a Submission as a client sends it: without the fields that only the engine sets.
type submission struct {
	Code             *[]byte       `json:"code,omitempty"`
	Text             *string       `json:"text,omitempty"`
	Script           string        `json:"script"`
	Name             string        `json:"name"`
	Dir              string        `json:"dir"`
	Args             []string      `json:"args"`
	Scene            string        `json:"scene"`
	Isolation        api.Isolation `json:"isolation,omitempty"`
	Session          string        `json:"session,omitempty"`
	Confined         bool          `json:"confined,omitempty"`
	Echo             bool          `json:"echo,omitempty"`
	Leftover         api.Leftover  `json:"leftover,omitempty"`
	Limits           api.Limits    `json:"limits,omitzero"`
	TimeLimitSeconds float64       `json:"time_limit_seconds"`
	Key              string        `json:"key,omitempty"`
	Client           string        `json:"client,omitempty"`
	Attach           bool          `json:"attach,omitempty"`
	PID              int           `json:"pid,omitempty"`
	Blender          string        `json:"blender,omitempty"`
	Render           *api.Render   `json:"render,omitempty"`
}

// readBody returns the body of a request whose answer may take long.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := readAll(w, r, s.maxBody)
	if err != nil {
		return nil, err
	}
	// SetReadDeadline fails only on a connection that is gone.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// readAll returns the body of a request. It fails at once when the request says that its body has over most
// bytes, so that a client that asks before it sends need not send.
func readAll(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, tooLarge("the request", most)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge("the request", most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, badRequest("the request did not arrive within %v", bodyTime)
	case err != nil:
		return nil, badRequest("the request did not arrive whole: %v", err)
	}
	return body, nil
}

func (s *Server) readSubmission(w http.ResponseWriter, r *http.Request) (api.Submission, error) {
	body, err := s.readBody(w, r)
	if err != nil {
		return api.Submission{}, err
	}
	var in submission
	if err := unmarshalStrict(body, &in); err != nil {
		return api.Submission{}, badRequest("the request is no submission: %v", err)
	}
	var code []byte
	switch {
	case in.Code != nil && in.Text != nil && len(*in.Code) > 0 && *in.Text != "":
		return api.Submission{}, badRequest("the request has both code and text")
	case in.Text != nil && *in.Text != "":
		code = []byte(*in.Text)
	case in.Code != nil:
		code = *in.Code
	case in.Text == nil && in.Render == nil:
		return api.Submission{}, badRequest("there is nothing to run: give code or text; the engine does not read the file of the script")
	}
	if int64(len(code)) > s.maxCode {
		return api.Submission{}, tooLarge("the script", s.maxCode)
	}
	peer, _ := r.Context().Value(peerKey{}).(string)
	return api.Submission{
		Peer: peer, Code: code, Script: in.Script, Name: in.Name, Dir: in.Dir, Args: in.Args,
		Scene: in.Scene, Isolation: in.Isolation, Session: in.Session, Confined: in.Confined, Echo: in.Echo, TimeLimitSeconds: in.TimeLimitSeconds,
		Leftover: in.Leftover, Limits: in.Limits,
		Key: in.Key, Client: in.Client, Attach: in.Attach, PID: in.PID, Blender: in.Blender, Render: in.Render,
	}, nil
}

// blenderDoes returns a handler that calls do for a Blender of the engine and answers after do
// has returned.
func (s *Server) blenderDoes(do func(ctx context.Context, name string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := do(r.Context(), r.URL.Query().Get("name")); err != nil {
			if errors.Is(err, api.ErrStopping) || errors.Is(err, api.ErrNoBlender) {
				return err
			}
			return refuse(http.StatusBadGateway, CodeBlenderFailed, "`blendtray doctor` looks for the cause", "%v", err)
		}
		return s.getStatus(w, r)
	}
}

func (s *Server) watching(paused bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s.engine.PauseWatching(paused)
		return s.getStatus(w, r)
	}
}

func (s *Server) postShutdown(w http.ResponseWriter, _ *http.Request) error {
	if s.shutdown == nil {
		return refuse(http.StatusConflict, CodeConflict, "", "this engine is not ended from outside")
	}
	s.answer(w, http.StatusAccepted, struct{}{})
	s.shutdown()
	return nil
}
