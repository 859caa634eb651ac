package control

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"

	"blendtray/api"
)

// maxQueue is how many waiting runs a list has at most. The engine finds out their order by playing what
// will happen, and nothing else happens in the meantime.
const maxQueue = 1000

func (s *Server) getQueue(w http.ResponseWriter, r *http.Request) error {
	n := int64(0)
	if q := r.URL.Query(); q.Has("n") {
		var ok bool
		if n, ok = number(q.Get("n")); !ok || n < 1 || n > maxQueue {
			return badRequest("n=%s is not a number from 1 to %d", q.Get("n"), maxQueue)
		}
	}
	queue, total := s.engine.Queue(int(n))
	for i := range queue {
		queue[i].Run = tidy(queue[i].Run)
	}
	w.Header().Set(headerTotal, strconv.Itoa(total))
	s.answer(w, http.StatusOK, orEmpty(queue))
	return nil
}

func (s *Server) postFirst(w http.ResponseWriter, r *http.Request) error {
	of := api.Front(cmp.Or(r.URL.Query().Get("of"), string(api.FrontOfAll)))
	return s.answerRun(w, http.StatusOK)(s.engine.MoveFirst(r.Context(), r.PathValue("id"), of))
}

func (s *Server) postCancelQueue(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	n, err := s.engine.CancelLine(r.Context(), api.QueueLine{Line: q.Get("line"), LineKind: q.Get("line_kind")})
	if err != nil {
		return err
	}
	s.answer(w, http.StatusOK, cancelled{n})
	return nil
}

// cancelled is the answer to a request that cancels runs.
type cancelled struct {
	Cancelled int `json:"cancelled"`
}

// Queue returns the first n runs that wait, in the order in which they will begin as it looks now; 0
// is 100. total is how many wait in all.
func (c *Client) Queue(ctx context.Context, n int) (first []api.QueuedRun, total int, err error) {
	path := "/queue"
	if n != 0 {
		path += "?n=" + strconv.Itoa(n)
	}
	first, header, err := askWithHeader[[]api.QueuedRun](ctx, c, http.MethodGet, path, nil)
	if err != nil {
		return nil, 0, err
	}
	if total, err = strconv.Atoi(header.Get(headerTotal)); err != nil {
		total = len(first) // the engine is older than the client
	}
	return first, total, nil
}

// CancelLine cancels all runs of a folder, a client or a session that wait, and returns how many.
func (c *Client) CancelLine(ctx context.Context, of api.QueueLine) (int, error) {
	q := url.Values{"line": {of.Line}, "line_kind": {of.LineKind}}
	done, err := ask[cancelled](ctx, c, http.MethodPost, "/queue/cancel?"+q.Encode(), nil)
	return done.Cancelled, err
}

// MoveFirst puts a run that waits ahead of all others, or of those of its folder, client or session,
// and returns the run. It fails with [api.ErrEnded] when the run does not wait.
func (c *Client) MoveFirst(ctx context.Context, id string, of api.Front) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/first?of="+url.QueryEscape(string(of))), nil)
}
