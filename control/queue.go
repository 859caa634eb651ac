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
	queue := s.engine.Queue(int(n))
	for i := range queue {
		queue[i].Run = tidy(queue[i].Run)
	}
	s.answer(w, http.StatusOK, orEmpty(queue))
	return nil
}

func (s *Server) postFirst(w http.ResponseWriter, r *http.Request) error {
	of := api.Front(cmp.Or(r.URL.Query().Get("of"), string(api.FrontOfAll)))
	return s.answerRun(w, http.StatusOK)(s.engine.MoveFirst(r.Context(), r.PathValue("id"), of))
}

// Queue returns the first n runs that wait, in the order in which they will begin as it looks now; 0
// is 100.
func (c *Client) Queue(ctx context.Context, n int) ([]api.QueuedRun, error) {
	path := "/queue"
	if n != 0 {
		path += "?n=" + strconv.Itoa(n)
	}
	return ask[[]api.QueuedRun](ctx, c, http.MethodGet, path, nil)
}

// MoveFirst puts a run that waits ahead of all others, or of those of its folder, client or session,
// and returns the run. It fails with [api.ErrEnded] when the run does not wait.
func (c *Client) MoveFirst(ctx context.Context, id string, of api.Front) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/first?of="+url.QueryEscape(string(of))), nil)
}
