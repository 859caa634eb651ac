package control

import (
	"context"
	"net/http"
	"net/url"

	"blendtray/api"
)

func (s *Server) getAgents(w http.ResponseWriter, _ *http.Request) error {
	s.answer(w, http.StatusOK, orEmpty(s.engine.Agents()))
	return nil
}

// putAgent notes that an agent is connected, and answers with the agent as it is kept.
func (s *Server) putAgent(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if api.CheckSession(id) != nil {
		return badRequest("%q is no id of an agent: 1 to %d of A-Z a-z 0-9 . _ -, and neither . nor - at its beginning", id, api.MaxSession)
	}
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	var in api.Agent
	if err := unmarshalStrict(body, &in); err != nil {
		return badRequest("the request is no agent: %v", err)
	}
	in.ID = id
	s.answer(w, http.StatusOK, s.engine.HearAgent(in.Clean()))
	return nil
}

func (s *Server) deleteAgent(w http.ResponseWriter, r *http.Request) error {
	n := 0
	if s.engine.AgentLeft(r.PathValue("id")) {
		n = 1
	}
	s.answer(w, http.StatusOK, cleared{n})
	return nil
}

// Agents returns the agents that are connected, in the order in which they came.
func (c *Client) Agents(ctx context.Context) ([]api.Agent, error) {
	return ask[[]api.Agent](ctx, c, http.MethodGet, "/agents", nil)
}

// HearAgent tells the engine that an agent is connected, and what it has done. The engine forgets it after
// a minute, or with [Client.AgentLeft].
func (c *Client) HearAgent(ctx context.Context, a api.Agent) error {
	_, err := ask[api.Agent](ctx, c, http.MethodPut, "/agents/"+url.PathEscape(a.ID), a)
	return err
}

// AgentLeft tells the engine that an agent is gone.
func (c *Client) AgentLeft(ctx context.Context, id string) error {
	_, err := ask[cleared](ctx, c, http.MethodDelete, "/agents/"+url.PathEscape(id), nil)
	return err
}
