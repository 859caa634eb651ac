package control

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parameters has the names of the parameters that a request may have, by its method and path. What
// is not listed has none.
var parameters = map[string][]string{
	"GET /runs":             append([]string{"n"}, filterParameters...),
	"DELETE /runs":          filterParameters,
	"GET /scripts":          append([]string{"n", "last"}, filterParameters...),
	"POST /runs":            {"stream"},
	"GET /runs/{id}/output": {"from"},
	"GET /queue":            {"n"},
	"GET /farm":             {"n"},
	"POST /queue/cancel":    {"line", "line_kind"},
	"GET /usage":            {"since"},
	"POST /runs/{id}/first": {"of"},
	"POST /blender/start":   {"name"},
	"POST /blender/stop":    {"name"},
	"POST /blender/restart": {"name"},
	"GET /events":           {"output"},
	"GET /api":              {"blender", "path", "words", "n"},
}

// filterParameters are the parameters that choose runs.
var filterParameters = []string{"state", "name", "script", "folder", "client", "since", "until", "pinned", "before"}

// repeatable are the parameters that may be given more than once.
var repeatable = []string{"state"}

// checkQuery fails when a request's parameters can't be read, are not those of its path, are given
// twice or are no text. [url.URL.Query] would pass over what it can't read, and a handler over a
// second value: the answer would be that to another question.
func checkQuery(r *http.Request, path string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the parameters can't be read: %v", err)
	}
	known := parameters[r.Method+" "+path]
	for name, values := range query {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			return badRequest("%s %s has no parameters, and so no %q", r.Method, r.URL.Path, name)
		case !slices.Contains(known, name):
			return badRequest("there is no parameter %q; there is %s", name, strings.Join(known, ", "))
		case len(values) > 1 && !slices.Contains(repeatable, name):
			return badRequest("the parameter %s is given %d times", name, len(values))
		}
		for _, value := range values {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return badRequest("the parameter %s is no text in UTF-8", name)
			}
		}
	}
	return nil
}

// flag returns whether a parameter is 1. It fails when the parameter is neither 0 nor 1.
func flag(q url.Values, name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	switch q.Get(name) {
	case "1":
		return true, nil
	case "0":
		return false, nil
	}
	return false, badRequest("%s=%s is neither 0 nor 1", name, q.Get(name))
}

// number returns a number of decimal digits alone, and false for every other text.
func number(text string) (n int64, ok bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
