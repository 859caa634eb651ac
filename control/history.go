package control

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"blendtray/api"
)

// parseFilter returns the filter in the parameters of a request. It fails when one of them has no
// value of its kind.
func parseFilter(q url.Values) (f api.Filter, err error) {
	for key, values := range q {
		switch key {
		case "n":
			n, ok := number(values[0])
			if !ok || n < 1 || n > maxList {
				return f, badRequest("n=%s is not a number from 1 to %d", values[0], maxList)
			}
			f.Limit = int(n)
		case "state":
			for _, v := range values {
				if !slices.Contains(api.States(), api.State(v)) {
					return f, badRequest("there is no state %q", v)
				}
				f.States = append(f.States, api.State(v))
			}
		case "since":
			f.Since, err = parseTime(key, values[0])
		case "until":
			f.Until, err = parseTime(key, values[0])
		case "pinned":
			f.Pinned, err = flag(q, key)
		default:
			if of := textIn(&f, key); of != nil {
				if *of = values[0]; *of == "" {
					// To take it for a filter that chooses all runs would delete them all.
					return f, badRequest("%s has no value: leave it out to choose runs whatever it is", key)
				}
			}
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// textIn returns the text in a filter that a parameter sets, or nil.
func textIn(f *api.Filter, key string) *string {
	return map[string]*string{"name": &f.Name, "script": &f.Script, "folder": &f.Folder, "client": &f.Client, "before": &f.Before}[key]
}

func parseTime(key, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, badRequest("%s=%s is not a time such as 2026-01-02T10:00:00Z", key, text)
	}
	return t, nil
}

// filterQuery returns a filter as parameters, which parseFilter reads.
func filterQuery(f api.Filter) url.Values {
	q := url.Values{}
	if f.Limit != 0 {
		q.Set("n", strconv.Itoa(f.Limit))
	}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	for _, key := range filterParameters {
		if of := textIn(&f, key); of != nil && *of != "" {
			q.Set(key, *of)
		}
	}
	for key, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(key, t.Format(time.RFC3339Nano))
		}
	}
	if f.Pinned {
		q.Set("pinned", "1")
	}
	return q
}

func (s *Server) getScripts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := parseFilter(q)
	if err != nil {
		return err
	}
	last := int64(0)
	if q.Has("last") {
		var ok bool
		if last, ok = number(q.Get("last")); !ok || last < 1 || last > maxLast {
			return badRequest("last=%s is not a number from 1 to %d", q.Get("last"), maxLast)
		}
	}
	scripts, err := s.engine.Scripts(r.Context(), f, int(last))
	if err != nil {
		return err
	}
	s.answer(w, http.StatusOK, orEmpty(scripts))
	return nil
}

// maxLast is how many runs of each script a list of scripts may have.
const maxLast = 50

// pins returns a handler that pins a run or ends that.
func (s *Server) pins(on bool) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return s.answerRun(w, http.StatusOK)(s.engine.Pin(r.Context(), r.PathValue("id"), on))
	}
}

func (s *Server) deleteRun(w http.ResponseWriter, r *http.Request) error {
	if err := s.engine.DeleteRun(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	s.answer(w, http.StatusOK, cleared{1})
	return nil
}

// cleared is the answer to a request to delete runs.
type cleared struct {
	Deleted int `json:"deleted"`
}

func (s *Server) deleteRuns(w http.ResponseWriter, r *http.Request) error {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		return err
	}
	n, err := s.engine.ClearRuns(r.Context(), f)
	if err != nil {
		return err
	}
	s.answer(w, http.StatusOK, cleared{n})
	return nil
}

// Runs returns the runs that match f, newest first, without their output.
func (c *Client) Runs(ctx context.Context, f api.Filter) ([]api.Run, error) {
	return ask[[]api.Run](ctx, c, http.MethodGet, "/runs?"+filterQuery(f).Encode(), nil)
}

// Scripts returns the scripts of the runs that match f, the script with the newest run first, each
// with its last runs of those that match. For 0 the engine says how many these are.
func (c *Client) Scripts(ctx context.Context, f api.Filter, last int) ([]api.ScriptRuns, error) {
	q := filterQuery(f)
	if last != 0 {
		q.Set("last", strconv.Itoa(last))
	}
	return ask[[]api.ScriptRuns](ctx, c, http.MethodGet, "/scripts?"+q.Encode(), nil)
}

// Pin has the history keep a run however old it gets, and returns the run. Unpin ends that.
func (c *Client) Pin(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/pin"), nil)
}

// Unpin has the history treat a run as any other, and returns the run.
func (c *Client) Unpin(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/unpin"), nil)
}

// DeleteRun deletes a run that has ended.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	_, err := ask[cleared](ctx, c, http.MethodDelete, runPath(id, ""), nil)
	return err
}

// ClearRuns deletes the runs that match f, whatever its limit, but those that are pinned, wait or are
// running, and returns how many it has deleted.
func (c *Client) ClearRuns(ctx context.Context, f api.Filter) (int, error) {
	f.Limit = 0
	answer, err := ask[cleared](ctx, c, http.MethodDelete, "/runs?"+filterQuery(f).Encode(), nil)
	return answer.Deleted, err
}
