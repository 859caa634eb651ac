package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"unicode/utf8"

	"blendtray/api"
)

func (s *Server) getSessions(w http.ResponseWriter, _ *http.Request) error {
	s.answer(w, http.StatusOK, orEmpty(s.engine.Sessions()))
	return nil
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	session, err := s.engine.Session(r.PathValue("name"))
	if err != nil {
		return err
	}
	s.answer(w, http.StatusOK, session)
	return nil
}

func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.engine.EndSession(r.Context(), r.PathValue("name")); err != nil {
		return err
	}
	s.answer(w, http.StatusOK, struct{}{})
	return nil
}

// sessionBody is the body of a request for an operation of a session; each field may be left out.
type sessionBody struct {
	// File is the absolute path of a .blend.
	File string `json:"file,omitempty"`
	// Client says who asks, for the history.
	Client string `json:"client,omitempty"`
	// Look is what a look looks at.
	Look *api.Look `json:"look,omitempty"`
	// Confined has the session begin in a Blender that is confined.
	Confined bool `json:"confined,omitempty"`
}

// sessionDoes returns a handler that has a session do an operation, and answers when it is done.
func (s *Server) sessionDoes(operation api.SessionOperation) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in sessionBody
		if r.ContentLength != 0 {
			body, err := s.readBody(w, r)
			if err != nil {
				return err
			}
			if err := unmarshalStrict(body, &in); err != nil {
				return badRequest("the request is not one for a session: %v", err)
			}
			if err := checkLookNumbers(body); err != nil {
				return err
			}
		}
		done, err := s.engine.DoInSession(r.Context(), api.SessionRequest{
			Session: r.PathValue("name"), Operation: operation, File: in.File, Client: in.Client, Look: in.Look, Confined: in.Confined,
		})
		if err != nil {
			return err
		}
		done.Run = tidy(done.Run)
		s.answer(w, http.StatusOK, done)
		return nil
	}
}

// checkLookNumbers refuses a 0 that a look has for a number that begins later: the engine would take it for a
// number that was left out.
func checkLookNumbers(body []byte) error {
	var in struct {
		Look struct {
			N    *float64 `json:"n"`
			Size *float64 `json:"size"`
		} `json:"look"`
	}
	switch err := json.Unmarshal(body, &in); {
	case err != nil:
		return badRequest("the request is not one for a session: %v", err)
	case in.Look.N != nil && *in.Look.N == 0:
		return badRequest("look: n: 0 is not a number from 1 to %d", api.MaxLooked)
	case in.Look.Size != nil && *in.Look.Size == 0:
		return badRequest("look: size: 0 is not a number from %d to %d", api.MinPreview, api.MaxPreview)
	}
	return nil
}

// completeBody is the body of a request for how code may go on.
type completeBody struct {
	Code string `json:"code"`
	// Cursor counts characters (code points). Without it the cursor is at the end.
	Cursor *int `json:"cursor"`
}

// postComplete answers how code may go on at a cursor.
func (s *Server) postComplete(w http.ResponseWriter, r *http.Request) error {
	var in completeBody
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	if err := unmarshalStrict(body, &in); err != nil {
		return badRequest("the request is not one for a completion: %v", err)
	}
	cursor := utf8.RuneCountInString(in.Code)
	if in.Cursor != nil {
		cursor = *in.Cursor
	}
	found, err := s.engine.Complete(r.Context(), r.PathValue("name"), in.Code, cursor)
	if err != nil {
		return err
	}
	found.Matches = orEmpty(found.Matches)
	s.answer(w, http.StatusOK, found)
	return nil
}

// Complete returns how code may go on at a cursor, which counts characters, from the names of a
// session. It never waits for a run: it fails with [api.ErrBusy] while the session executes a run. A
// session that is not there has no matches, and none is begun.
func (c *Client) Complete(ctx context.Context, session, code string, cursor int) (api.Completion, error) {
	return ask[api.Completion](ctx, c, http.MethodPost, sessionPath(session, "/complete"), completeBody{code, &cursor})
}

// Sessions returns the sessions by name, and those that have ended by themselves a while ago.
func (c *Client) Sessions(ctx context.Context) ([]api.Session, error) {
	return ask[[]api.Session](ctx, c, http.MethodGet, "/sessions", nil)
}

// Session returns the session with a name. It fails with [api.ErrNoSession] when there is none.
func (c *Client) Session(ctx context.Context, name string) (api.Session, error) {
	return ask[api.Session](ctx, c, http.MethodGet, sessionPath(name, ""), nil)
}

// EndSession cancels what runs or waits in a session, ends its Blender and removes its checkpoints. It
// returns when the Blender is gone.
func (c *Client) EndSession(ctx context.Context, name string) error {
	_, err := ask[struct{}](ctx, c, http.MethodDelete, sessionPath(name, ""), nil)
	return err
}

// DoInSession has a session save or open a file, make a checkpoint or go back to one, after its runs
// that wait already, and returns when that is done. Ending ctx cancels the operation. It fails with
// [api.ErrSession] when the operation has failed.
func (c *Client) DoInSession(ctx context.Context, req api.SessionRequest) (api.SessionDone, error) {
	return ask[api.SessionDone](ctx, c, http.MethodPost, sessionPath(req.Session, "/"+string(req.Operation)), sessionBody{
		File: req.File, Client: req.Client, Look: req.Look, Confined: req.Confined,
	})
}

func sessionPath(name, rest string) string { return "/sessions/" + url.PathEscape(name) + rest }
