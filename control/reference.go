package control

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"blendtray/api"
)

// getAPI answers from the documentation of the Python API of a Blender.
func (s *Server) getAPI(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	q := api.ReferenceQuery{Blender: query.Get("blender"), Path: query.Get("path"), Words: query.Get("words")}
	if query.Has("n") {
		n, ok := number(query.Get("n"))
		if !ok || n < 1 || n > api.MaxReference {
			return badRequest("n=%s is not a number from 1 to %d", query.Get("n"), api.MaxReference)
		}
		q.Max = int(n)
	}
	found, err := s.engine.API(r.Context(), q)
	if err != nil {
		return err
	}
	found.Entries, found.Replaced, found.Similar = orEmpty(found.Entries), orEmpty(found.Replaced), orEmpty(found.Similar)
	s.answer(w, http.StatusOK, found)
	return nil
}

// API returns what the documentation of the Python API of a Blender says to a path or to words. It waits
// for no run; only the first question about a build of Blender takes some seconds. It fails with
// [api.ErrNoBlender] when there is no such Blender.
func (c *Client) API(ctx context.Context, q api.ReferenceQuery) (api.Reference, error) {
	query := url.Values{}
	for name, value := range map[string]string{"blender": q.Blender, "path": q.Path, "words": q.Words} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.Max > 0 {
		query.Set("n", strconv.Itoa(q.Max))
	}
	return ask[api.Reference](ctx, c, http.MethodGet, "/api?"+query.Encode(), nil)
}
