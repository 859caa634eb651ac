package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"blendtray/api"
)

// Client sends requests to an engine. It keeps connections open for its next requests, and many
// goroutines may call its methods. A method fails with an [*Error] when the engine refuses the
// request, and otherwise with [ErrNoEngine] or [ErrLost].
type Client struct {
	address string
	http    *http.Client
}

// Dial returns a connection to the engine of this user at an address that [Address] returned. It
// fails when nobody listens there, or somebody else.
func Dial(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, address) }

// NewClient returns a client of the engine at an address that [Address] returned. Only the first
// request shows whether an engine is there.
func NewClient(address string) *Client {
	return &Client{
		address: address,
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				c, err := dial(ctx, address)
				if err != nil && nobodyThere(err) {
					err = fmt.Errorf("%w on %s", ErrNoEngine, address)
				}
				return c, err
			},
			// A connection that the engine has closed is noticed before it is used again: both ends are
			// on this machine.
			MaxIdleConns:        idleConns,
			MaxIdleConnsPerHost: idleConns,
			IdleConnTimeout:     idleTime / 2, // before the engine ends it
		}},
	}
}

// idleConns is how many connections a client keeps for its next requests.
const idleConns = 16

// Address returns the address of the engine.
func (c *Client) Address() string { return c.address }

// Status returns the state of the engine, its Blenders and folders.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return ask[api.Status](ctx, c, http.MethodGet, "/status", nil)
}

// Run returns the run with an id, with its output.
func (c *Client) Run(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodGet, runPath(id, ""), nil)
}

// Code returns the source of a run.
func (c *Client) Code(ctx context.Context, id string) ([]byte, error) {
	body, _, err := c.bytes(ctx, runPath(id, "/code"))
	return body, err
}

// Changes returns how the code of a run differs from the code of the run before of the same script.
func (c *Client) Changes(ctx context.Context, id string) (api.Changes, error) {
	return ask[api.Changes](ctx, c, http.MethodGet, runPath(id, "/changes"), nil)
}

// Preview returns the picture of a run, a JPEG file. It fails with [api.ErrNotFound] when the
// run has none.
func (c *Client) Preview(ctx context.Context, id string) ([]byte, error) {
	body, _, err := c.bytes(ctx, runPath(id, "/preview"))
	return body, err
}

// Thumbnail returns a small picture of the output of a run with an index, a JPEG file, which Blender may
// have to make first: that takes seconds. It fails with [api.ErrNoThumbnail] when there is none.
func (c *Client) Thumbnail(ctx context.Context, id string, output int) ([]byte, error) {
	body, _, err := c.bytes(ctx, runPath(id, "/outputs/"+strconv.Itoa(output)+"/thumbnail"))
	return body, err
}

// Output returns the text that a run printed from the byte from on, without a gap; at, the byte
// where that text begins, which is later than from where something was cut; and total, the
// number of printed bytes in all. To read on, ask from at+len(text).
func (c *Client) Output(ctx context.Context, id string, from int64) (text []byte, at, total int64, err error) {
	text, header, err := c.bytes(ctx, runPath(id, "/output?from="+strconv.FormatInt(from, 10)))
	if err != nil {
		return nil, 0, 0, err
	}
	at, err = strconv.ParseInt(header.Get(headerFrom), 10, 64)
	if err == nil {
		total, err = strconv.ParseInt(header.Get(headerTotal), 10, 64)
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("the answer of the engine on %s: %w", c.address, err)
	}
	return text, at, total, nil
}

// bytes returns the body and the header of an answer that is not JSON.
func (c *Client) bytes(ctx context.Context, path string) ([]byte, http.Header, error) {
	res, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, c.lost(ctx, err)
	}
	return body, res.Header, nil
}

// Submit has the engine make a run and returns the new run.
func (c *Client) Submit(ctx context.Context, s api.Submission) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, "/runs", outgoing(s))
}

// Cancel ends a run that is queued or running and returns the run. It returns before a running
// run has ended.
func (c *Client) Cancel(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/cancel"), nil)
}

// Retry has the engine make a new run of the same code and returns the new run.
func (c *Client) Retry(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/retry"), nil)
}

// RunStale has the engine make runs of the scripts that wait for a person because modules that they
// import have changed, and returns the new runs.
func (c *Client) RunStale(ctx context.Context) ([]api.Run, error) {
	return ask[[]api.Run](ctx, c, http.MethodPost, "/watch/stale", nil)
}

// StartBlender starts the Blender with a name, or for "" the default Blender. It returns the
// status when the Blender is ready.
func (c *Client) StartBlender(ctx context.Context, name string) (api.Status, error) {
	return c.blender(ctx, "start", name)
}

// StopBlender stops the Blender with a name, or for "" all Blenders. It returns the status when
// they are gone.
func (c *Client) StopBlender(ctx context.Context, name string) (api.Status, error) {
	return c.blender(ctx, "stop", name)
}

// RestartBlender stops the Blender with a name, or for "" the default Blender and all running
// Blenders, and starts them again. It returns the status after that.
func (c *Client) RestartBlender(ctx context.Context, name string) (api.Status, error) {
	return c.blender(ctx, "restart", name)
}

func (c *Client) blender(ctx context.Context, do, name string) (api.Status, error) {
	path := "/blender/" + do
	if name != "" {
		path += "?name=" + url.QueryEscape(name)
	}
	return ask[api.Status](ctx, c, http.MethodPost, path, nil)
}

// PauseWatching holds back saves in the folders, or lets them run again. It returns the new
// status.
func (c *Client) PauseWatching(ctx context.Context, paused bool) (api.Status, error) {
	path := "/watch/resume"
	if paused {
		path = "/watch/pause"
	}
	return ask[api.Status](ctx, c, http.MethodPost, path, nil)
}

// ReloadFolders has the engine read the file of its settings again. It returns the new status.
// It fails with an [*Error] that is [api.ErrBad] when the file is wrong; then the earlier
// settings remain in force.
func (c *Client) ReloadFolders(ctx context.Context) (api.Status, error) {
	return ask[api.Status](ctx, c, http.MethodPost, "/folders/reload", nil)
}

// Shutdown asks the engine to end cleanly; it returns before the engine has ended.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/shutdown", nil)
	return err
}

func runPath(id, rest string) string { return "/runs/" + url.PathEscape(id) + rest }

func outgoing(s api.Submission) submission {
	code := &s.Code
	if s.Code == nil {
		if code = nil; s.Render == nil {
			code = &[]byte{} // an empty script
		}
	}
	return submission{
		Code: code, Script: s.Script, Name: s.Name, Dir: s.Dir, Args: orEmpty(s.Args),
		Scene: s.Scene, Isolation: s.Isolation, Session: s.Session, Confined: s.Confined, Echo: s.Echo, TimeLimitSeconds: s.TimeLimitSeconds,
		Leftover: s.Leftover, Limits: s.Limits,
		Key: s.Key, Client: s.Client, Attach: s.Attach, PID: s.PID, Blender: s.Blender, Render: s.Render,
	}
}

// ask sends a request, with in as its body unless in is nil, and returns the decoded answer.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	out, _, err := askWithHeader[T](ctx, c, method, path, in)
	return out, err
}

// askWithHeader is ask for an answer whose header says something, too.
func askWithHeader[T any](ctx context.Context, c *Client, method, path string, in any) (out T, header http.Header, err error) {
	res, err := c.do(ctx, method, path, in)
	if err != nil {
		return out, nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return out, nil, c.lost(ctx, err)
	}
	// The decoding is not strict: an engine that is newer than its client may send more fields.
	if err := json.Unmarshal(data, &out); err != nil {
		return out, nil, fmt.Errorf("the answer of the engine on %s: %w", c.address, err)
	}
	return out, res.Header, nil
}

// do sends a request and returns the answer. It fails unless the answer has a good status.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://blendtray"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(ctx, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	var told struct {
		Error *Error `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&told); err != nil || told.Error == nil {
		return nil, &Error{Status: res.StatusCode, Code: CodeInternal, Message: "the engine answered " + res.Status}
	}
	told.Error.Status = res.StatusCode
	return nil, told.Error
}

// lost returns the error for a request that got no answer, or only a part of an answer, in this
// package's terms.
func (c *Client) lost(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the text of the outer error names a URL that nobody typed
	}
	var dialing *net.OpError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrNoEngine):
		return err
	case errors.As(err, &dialing) && dialing.Op == "dial":
		return fmt.Errorf("%w: %w", ErrNoEngine, err)
	default:
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
}
