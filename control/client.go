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

// Client asks one engine. It holds no connection open between requests, and its methods may
// be called from many goroutines. Besides an [*Error], which is the engine's refusal, they
// return errors that are [ErrNoEngine] or [ErrLost].
type Client struct {
	address string
	http    *http.Client
}

// Dial connects to whoever of this user listens at an address that [Address] gave and
// [Listen] took. It fails when nobody does, or somebody else.
func Dial(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, address) }

// NewClient makes a client of the engine at an address that [Address] gave. Whether one is
// there shows with the first request.
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
			// A new connection costs some 50 µs and can't be a stale one.
			DisableKeepAlives: true,
		}},
	}
}

// Address is the address that the client asks at.
func (c *Client) Address() string { return c.address }

// Status is how engine, Blenders and folders are.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return ask[api.Status](ctx, c, http.MethodGet, "/status", nil)
}

// Runs lists runs, newest first, without their output.
func (c *Client) Runs(ctx context.Context, f api.Filter) ([]api.Run, error) {
	q := url.Values{}
	if f.Limit != 0 {
		q.Set("n", strconv.Itoa(f.Limit))
	}
	for _, s := range f.States {
		q.Add("state", string(s))
	}
	if f.Name != "" {
		q.Set("name", f.Name)
	}
	if f.Before != "" {
		q.Set("before", f.Before)
	}
	return ask[[]api.Run](ctx, c, http.MethodGet, "/runs?"+q.Encode(), nil)
}

// Run is one run, with its output.
func (c *Client) Run(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodGet, runPath(id, ""), nil)
}

// Code returns the source of a run.
func (c *Client) Code(ctx context.Context, id string) ([]byte, error) {
	body, _, err := c.bytes(ctx, runPath(id, "/code"))
	return body, err
}

// Preview returns the picture of a run, a JPEG file. It fails with [api.ErrNotFound] when the
// run has none.
func (c *Client) Preview(ctx context.Context, id string) ([]byte, error) {
	body, _, err := c.bytes(ctx, runPath(id, "/preview"))
	return body, err
}

// Output returns what a run printed from the byte from on, without a gap, the byte where that
// text begins, which is later than from where something was cut, and how many bytes there are in
// all. To read on, ask from at+len(text).
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

// bytes returns the body and the header of an answer that is no JSON.
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

// Submit has the engine make a run.
func (c *Client) Submit(ctx context.Context, s api.Submission) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, "/runs", outgoing(s))
}

// Cancel ends a run that is queued or running; it returns before a running one has ended.
func (c *Client) Cancel(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/cancel"), nil)
}

// Retry makes a new run of the same code.
func (c *Client) Retry(ctx context.Context, id string) (api.Run, error) {
	return ask[api.Run](ctx, c, http.MethodPost, runPath(id, "/retry"), nil)
}

// StartBlender starts the Blender with a name, or for "" the default one, and returns when it is
// ready.
func (c *Client) StartBlender(ctx context.Context, name string) (api.Status, error) {
	return c.blender(ctx, "start", name)
}

// StopBlender stops the Blender with a name, or for "" all of them, and returns when they are
// gone.
func (c *Client) StopBlender(ctx context.Context, name string) (api.Status, error) {
	return c.blender(ctx, "stop", name)
}

// RestartBlender stops the Blender with a name, or for "" the default one and those that are
// running, and starts it again.
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

// PauseWatching has saves in the folders wait, or lets them run again.
func (c *Client) PauseWatching(ctx context.Context, paused bool) (api.Status, error) {
	path := "/watch/resume"
	if paused {
		path = "/watch/pause"
	}
	return ask[api.Status](ctx, c, http.MethodPost, path, nil)
}

// ReloadFolders has the engine read the file of its settings again. It fails with an [*Error]
// that is [api.ErrBad] when the file is wrong; then the settings that held before hold on.
func (c *Client) ReloadFolders(ctx context.Context) (api.Status, error) {
	return ask[api.Status](ctx, c, http.MethodPost, "/folders/reload", nil)
}

// Shutdown has the engine end, cleanly; it returns before that is done.
func (c *Client) Shutdown(ctx context.Context) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/shutdown", nil)
	return err
}

func runPath(id, rest string) string { return "/runs/" + url.PathEscape(id) + rest }

func outgoing(s api.Submission) submission {
	return submission{
		Code: s.Code, Script: s.Script, Name: s.Name, Dir: s.Dir, Args: orEmpty(s.Args),
		Scene: s.Scene, Isolation: s.Isolation, TimeLimitSeconds: s.TimeLimitSeconds,
		Key: s.Key, Client: s.Client, Attach: s.Attach, PID: s.PID,
	}
}

// ask sends one request, with in as its body unless it is nil, and decodes the answer.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	res, err := c.do(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return out, c.lost(ctx, err)
	}
	// Not strict: an engine that is newer than its client may say more.
	if err := json.Unmarshal(data, &out); err != nil {
		return out, fmt.Errorf("the answer of the engine on %s: %w", c.address, err)
	}
	return out, nil
}

// do sends one request. It returns an error unless the answer is a good one.
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

// lost says in this package's terms why there was no answer, or not all of it.
func (c *Client) lost(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text names a URL that nobody typed
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
