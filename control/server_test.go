package control

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"blendtray/api"
)

func TestAClientCanDoWhatTheInterfaceOffers(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	ctx := t.Context()

	run, err := c.Submit(ctx, api.Submission{Code: []byte("x = 1\n"), Script: "/s.py", Key: "k", Client: "c", Attach: true, PID: 7, Blender: "4.5", Render: &api.Render{Engine: "CYCLES"}})
	if err != nil || run.ID != "r1" || run.State != api.Queued {
		t.Fatalf("Submit: %+v, %v", run, err)
	}
	want := api.Submission{Code: []byte("x = 1\n"), Script: "/s.py", Args: []string{}, Key: "k", Client: "c", Attach: true, PID: 7, Blender: "4.5", Render: &api.Render{Engine: "CYCLES"}}
	if want.Peer = f.submitted().Peer; !reflect.DeepEqual(f.submitted(), want) {
		t.Errorf("the engine was asked for %+v", f.submitted())
	}
	if run, err := c.Run(ctx, "r1"); err != nil || run.Output != "printed\n" {
		t.Errorf("Run: %+v, %v", run, err)
	}
	if code, err := c.Code(ctx, "r1"); err != nil || string(code) != "x = 1\n" {
		t.Errorf("Code: %q, %v", code, err)
	}
	if text, at, total, err := c.Output(ctx, "r1", 3); err != nil || string(text) != "nted\n" || at != 3 || total != 8 {
		t.Errorf("Output: %q at %d of %d, %v", text, at, total, err)
	}
	if picture, err := c.Preview(ctx, "r1"); err != nil || !strings.HasPrefix(string(picture), "\xff\xd8") {
		t.Errorf("Preview: %q, %v", picture, err)
	}
	if run, err := c.Cancel(ctx, "r1"); err != nil || run.State != api.Cancelled {
		t.Errorf("Cancel: %+v, %v", run, err)
	}
	if run, err := c.Retry(ctx, "r1"); err != nil || run.RetryOf != "r1" {
		t.Errorf("Retry: %+v, %v", run, err)
	}
	filter := api.Filter{
		Limit: 7, States: []api.State{api.Failed, api.Crashed}, Name: "a b", Before: "r9", Script: "/a b.py", Folder: "/a&b",
		Client: "=", Since: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Until: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC), Pinned: true,
	}
	if runs, err := c.Runs(ctx, filter); err != nil || len(runs) != 2 {
		t.Errorf("Runs: %+v, %v", runs, err)
	}
	for _, do := range []func() (api.Status, error){
		func() (api.Status, error) { return c.StartBlender(ctx, "") },
		func() (api.Status, error) { return c.StopBlender(ctx, "4.5 & more") },
		func() (api.Status, error) { return c.RestartBlender(ctx, "") },
		func() (api.Status, error) { return c.PauseWatching(ctx, true) },
		func() (api.Status, error) { return c.PauseWatching(ctx, false) },
		func() (api.Status, error) { return c.Status(ctx) },
	} {
		if _, err := do(); err != nil {
			t.Error(err)
		}
	}
	asked := []string{fmt.Sprint(filter), "start", "stop 4.5 & more", "restart", "paused true", "paused false"}
	if !slices.Equal(f.asked, asked) {
		t.Errorf("the engine was asked %q, want %q", f.asked, asked)
	}
}

func TestWhatIsWrongIsRefusedByName(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f, func(s *Server) { s.maxBody, s.maxCode = 1000, 100 })
	ctx := t.Context()
	for _, x := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"an unknown path", "GET", "/nothing", "", 404, CodeNotFound},
		{"an empty part of a path", "GET", "//status", "", 404, CodeNotFound},
		{"an empty part in the middle", "POST", "/runs//cancel", "", 404, CodeNotFound},
		{"a path that goes up", "GET", "/runs/../status", "", 404, CodeNotFound},
		{"a path that stays", "DELETE", "/./runs", "", 404, CodeNotFound},
		{"a path that is none", "OPTIONS", "*", "", 404, CodeNotFound},
		{"a slash at the end", "GET", "/status/", "", 404, CodeNotFound},
		{"two slashes at the end", "GET", "/status//", "", 404, CodeNotFound},
		{"a wrong method", "POST", "/status", "", 405, CodeBadMethod},
		{"another wrong method", "PUT", "/runs/r1", "", 405, CodeBadMethod},
		{"an unknown run", "GET", "/runs/none", "", 404, CodeNotFound},
		{"the output of an unknown run", "GET", "/runs/none/output", "", 404, CodeNotFound},
		{"output from nowhere", "GET", "/runs/none/output?from=-1", "", 400, CodeBadRequest},
		{"an unknown session", "GET", "/sessions/none", "", 404, CodeNoSession},
		{"an operation that there is not", "POST", "/sessions/chair/redo", "", 404, CodeNotFound},
		{"a checkpoint with a misspelt field", "POST", "/sessions/chair/checkpoint", `{"fil":"/x.blend"}`, 400, CodeBadRequest},
		{"a look at no objects", "POST", "/sessions/chair/look", `{"look":{"what":"summary","n":0}}`, 400, CodeBadRequest},
		{"a look at a picture of no size", "POST", "/sessions/chair/look", `{"look":{"what":"picture","size":0}}`, 400, CodeBadRequest},
		{"a parameter of a session", "DELETE", "/sessions/chair?force=1", "", 400, CodeBadRequest},
		{"an unknown Blender", "POST", "/blender/stop?name=none", "", 404, CodeNoBlender},
		{"a number that is none", "GET", "/runs?n=many", "", 400, CodeBadRequest},
		{"a number out of range", "GET", "/runs?n=100000", "", 400, CodeBadRequest},
		{"an unknown state", "GET", "/runs?state=odd", "", 400, CodeBadRequest},
		{"an unknown parameter", "GET", "/runs?limit=3", "", 400, CodeBadRequest},
		{"a number with a sign", "GET", "/runs?n=%2B5", "", 400, CodeBadRequest},
		{"an empty number", "GET", "/runs/r1/output?from=", "", 400, CodeBadRequest},
		{"a parameter twice", "GET", "/runs?n=5&n=7", "", 400, CodeBadRequest},
		{"a name twice", "POST", "/blender/stop?name=a&name=b", "", 400, CodeBadRequest},
		{"a flag twice", "POST", "/runs?stream=0&stream=1", `{"text":"x"}`, 400, CodeBadRequest},
		{"a parameter that is no escape", "GET", "/runs?name=%zz", "", 400, CodeBadRequest},
		{"a parameter with a semicolon", "GET", "/runs?n=5;state=failed", "", 400, CodeBadRequest},
		{"a parameter that is no UTF-8", "GET", "/runs?name=%ff", "", 400, CodeBadRequest},
		{"a parameter with a NUL", "GET", "/runs?before=%00", "", 400, CodeBadRequest},
		{"a parameter where there is none", "GET", "/status?n=5", "", 400, CodeBadRequest},
		{"a parameter of another method", "POST", "/runs?n=5", `{"text":"x"}`, 400, CodeBadRequest},
		{"a parameter without a name", "POST", "/shutdown?=1", "", 400, CodeBadRequest},
		{"events that are neither", "GET", "/events?output=", "", 400, CodeBadRequest},
		{"no submission", "POST", "/runs", "", 400, CodeBadRequest},
		{"a submission that is no object", "POST", "/runs", `null`, 400, CodeBadRequest},
		{"a list of submissions", "POST", "/runs", `[{"text":"x"}]`, 400, CodeBadRequest},
		{"a text that is no UTF-8", "POST", "/runs", "{\"text\":\"print('\xff')\"}", 400, CodeBadRequest},
		{"UTF-16", "POST", "/runs", "\xff\xfe{\x00\"\x00t\x00", 400, CodeBadRequest},
		{"half of a surrogate pair", "POST", "/runs", `{"text":"\ud83d"}`, 400, CodeBadRequest},
		{"the wrong half of a pair", "POST", "/runs", `{"text":"\ud83d\ud83d"}`, 400, CodeBadRequest},
		{"a field in capitals", "POST", "/runs", `{"TEXT":"x"}`, 400, CodeBadRequest},
		{"a field twice", "POST", "/runs", `{"text":"x","text":"y"}`, 400, CodeBadRequest},
		{"a number that is none in a field", "POST", "/runs", `{"text":"x","time_limit_seconds":NaN}`, 400, CodeBadRequest},
		{"a number out of range in a field", "POST", "/runs", `{"text":"x","time_limit_seconds":1e400}`, 400, CodeBadRequest},
		{"a field of another type", "POST", "/runs", `{"text":["x"]}`, 400, CodeBadRequest},
		{"a script without its code", "POST", "/runs", `{"script":"/a.py"}`, 400, CodeBadRequest},
		{"a name without code", "POST", "/runs", `{"name":"a","code":null}`, 400, CodeBadRequest},
		{"broken JSON", "POST", "/runs", `{"text":`, 400, CodeBadRequest},
		{"two values", "POST", "/runs", `{"text":"x"} {}`, 400, CodeBadRequest},
		{"a misspelt field", "POST", "/runs", `{"txt":"x"}`, 400, CodeBadRequest},
		{"code and text", "POST", "/runs", `{"text":"x","code":"eA=="}`, 400, CodeBadRequest},
		{"what the engine refuses", "POST", "/runs", `{"text":"x","scene":"bad"}`, 400, CodeBadRequest},
		{"a stream that is neither", "POST", "/runs?stream=yes", `{"text":"x"}`, 400, CodeBadRequest},
		{"a script that is too large", "POST", "/runs", `{"text":"` + strings.Repeat("x", 101) + `"}`, 413, CodeTooLarge},
		{"a body that is too large", "POST", "/runs", `{"text":"` + strings.Repeat("x", 1001) + `"}`, 413, CodeTooLarge},
	} {
		t.Run(x.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(ctx, x.method, "http://b"+strings.TrimPrefix(x.path, "*"), strings.NewReader(x.body))
			if err != nil {
				t.Fatal(err)
			}
			if x.path == "*" {
				req.URL.Opaque = "*"
			}
			res, err := c.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != x.status || !strings.Contains(string(body), `"code":"`+x.code+`"`) {
				t.Errorf("answer %d %s, want %d and %s", res.StatusCode, body, x.status, x.code)
			}
		})
	}
	if len(f.runs) != 0 {
		t.Errorf("a refused submission became a run: %+v", f.runs)
	}
}

func TestTheClientKnowsRefusals(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.blender = errors.New("there is no Blender")
	_, c := serve(t, f)
	ctx := t.Context()
	_, err := c.Run(ctx, "none")
	refusedWith(t, err, 404, CodeNotFound)
	if _, err := c.Submit(ctx, api.Submission{Code: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cancel(ctx, "r1"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Cancel(ctx, "r1")
	refusedWith(t, err, 409, CodeConflict)
	_, err = c.StartBlender(ctx, "")
	refusedWith(t, err, 502, CodeBlenderFailed)
	if !strings.Contains(err.Error(), "there is no Blender") {
		t.Errorf("the reason is missing: %v", err)
	}
	_, err = c.Code(ctx, "../status")
	refusedWith(t, err, 404, CodeNotFound)
}

func TestNoArrayIsEverNull(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	get := func(path string) string {
		res, err := c.http.Get("http://b" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := get("/runs"); got != "[]\n" {
		t.Errorf("no runs are %q", got)
	}
	if got := get("/status"); !strings.Contains(got, `"blenders":[]`) || !strings.Contains(got, `"folders":[]`) {
		t.Errorf("status is %s", got)
	}
	if _, err := c.Submit(t.Context(), api.Submission{Code: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/runs", "/runs/r1"} {
		if got := get(path); !strings.Contains(got, `"args":[]`) || !strings.Contains(got, `"outputs":[]`) {
			t.Errorf("%s is %s", path, got)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, newFake())
	c := raw(t, address)
	fmt.Fprintf(c, "GET /status HTTP/1.1\r\nHost: b\r\n")
	go func() {
		for range 100 {
			if _, err := fmt.Fprintf(c, "X-Long: %s\r\n", strings.Repeat("x", 4096)); err != nil {
				return // cut off, as it should be
			}
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Fatalf("answer %+v, %v", res, err)
	}
}

func TestABodyThatIsTooLargeIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, newFake())
	for _, ask := range []string{"POST /runs", "PUT /agents/a", "POST /runs HTTP/1.1\r\nExpect: 100-continue"} {
		c := raw(t, address)
		ask, expect, _ := strings.Cut(ask, " HTTP/1.1")
		fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: b%s\r\nContent-Length: 60000000\r\n\r\n", ask, expect)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s%s: %+v, %v", ask, expect, res, err)
		}
	}
}

func TestAnEmptyScriptIsSubmitted(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	for _, code := range [][]byte{nil, {}} {
		if _, err := c.Submit(t.Context(), api.Submission{Script: "/a.py", Code: code}); err != nil {
			t.Errorf("%#v: %v", code, err)
		}
	}
}

func TestASlowClientIsCutOffAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFake()
	address, c := serve(t, f, func(s *Server) {
		s.bodyTime = 200 * time.Millisecond
		s.http.ReadHeaderTimeout = 200 * time.Millisecond
	})
	var slow []net.Conn
	for range 50 {
		inHeader, inBody := raw(t, address), raw(t, address)
		fmt.Fprint(inHeader, "GET /status HTT")
		fmt.Fprint(inBody, "POST /runs HTTP/1.1\r\nHost: b\r\nContent-Length: 100\r\n\r\n{\"text\":")
		slow = append(slow, inHeader, inBody)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range slow {
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Logf("cut off with %v", err)
		}
	}
	if len(f.runs) != 0 {
		t.Errorf("half a submission became a run")
	}
}

func TestShutdownIsPassedOnAndEndsTheServer(t *testing.T) {
	t.Parallel()
	_, c := serve(t, newFake())
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no engine answers", func() bool {
		_, err := c.Status(t.Context())
		return errors.Is(err, ErrNoEngine)
	})
}
