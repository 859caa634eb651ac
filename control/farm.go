package control

import (
	"context"
	"net/http"
	"strconv"

	"blendtray/api"
)

// defaultGroups is how many groups of jobs are listed, and maxGroups how many at most.
const (
	defaultGroups = 20
	maxGroups     = 100
)

func (s *Server) getFarm(w http.ResponseWriter, r *http.Request) error {
	n := int64(defaultGroups)
	if q := r.URL.Query(); q.Has("n") {
		var ok bool
		if n, ok = number(q.Get("n")); !ok || n < 1 || n > maxGroups {
			return badRequest("n=%s is not a number from 1 to %d", q.Get("n"), maxGroups)
		}
	}
	var f api.Farm
	if s.farm != nil {
		f = s.farm(r.Context(), int(n))
	}
	f.Machines, f.Groups = orEmpty(f.Machines), orEmpty(f.Groups)
	s.answer(w, http.StatusOK, f)
	return nil
}

// Farm returns what the engine knows of the farm that its machine has joined, with the n newest groups of
// jobs.
func (c *Client) Farm(ctx context.Context, n int) (api.Farm, error) {
	return ask[api.Farm](ctx, c, http.MethodGet, "/farm?n="+strconv.Itoa(n), nil)
}
