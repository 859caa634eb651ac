package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"blendtray/api"
)

func (s *Server) getUsage(w http.ResponseWriter, r *http.Request) error {
	var since time.Time
	if q := r.URL.Query(); q.Has("since") {
		var err error
		if since, err = parseTime("since", q.Get("since")); err != nil {
			return err
		}
	}
	usage := s.engine.Usage(since)
	usage.Engine = orEmpty(usage.Engine)
	usage.Processes = orEmpty(usage.Processes)
	for i := range usage.Processes {
		usage.Processes[i].Samples = orEmpty(usage.Processes[i].Samples)
	}
	s.answer(w, http.StatusOK, usage)
	return nil
}

// Usage returns how much memory and how many cores the engine and its Blenders took after a moment, and
// in the last ten minutes at most. The engine measures every 2 s for as long as clients ask.
func (c *Client) Usage(ctx context.Context, since time.Time) (api.Usage, error) {
	path := "/usage"
	if !since.IsZero() {
		path += "?since=" + url.QueryEscape(since.Format(time.RFC3339Nano))
	}
	return ask[api.Usage](ctx, c, http.MethodGet, path, nil)
}
