package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"sync"
	"time"

	"blendtray/api"
)

// silence is how long a stream may send nothing at all, not even a sign of life, before the
// client takes the engine for stuck.
const silence = 4 * beatTime

// Events returns the events of the engine from now on, with the output of runs if output is
// true. The first event is a note, which shows that the stream works. The sequence ends with an
// error: the error of ctx when ctx ends, [ErrLost] when the engine ends.
func (c *Client) Events(ctx context.Context, output bool) iter.Seq2[api.Event, error] {
	path := "/events"
	if output {
		path += "?output=1"
	}
	return c.stream(ctx, http.MethodGet, path, nil, func(api.Event) bool { return false })
}

// SubmitAndFollow has the engine make a run and returns the events of the run. The first event
// has the new run, and the last event has the ended run. When anything else ends the sequence,
// its last element is an error. A caller that stops following does not stop the run.
func (c *Client) SubmitAndFollow(ctx context.Context, s api.Submission) iter.Seq2[api.Event, error] {
	return c.stream(ctx, http.MethodPost, "/runs?stream=1", outgoing(s), func(ev api.Event) bool {
		return ev.Kind == api.KindRun && ev.Run != nil && ev.Run.State.Final()
	})
}

// readers has buffers for streams: to make such a large buffer costs more than to read a short run.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

func (c *Client) stream(ctx context.Context, method, path string, in any, last func(api.Event) bool) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		reading, stop := context.WithCancel(ctx)
		defer stop()
		res, err := c.do(reading, method, path, in)
		if err != nil {
			yield(api.Event{}, err)
			return
		}
		defer res.Body.Close()
		stuck := time.AfterFunc(silence, stop)
		defer stuck.Stop()
		lines := readers.Get().(*bufio.Reader)
		lines.Reset(res.Body)
		defer func() {
			lines.Reset(nil)
			readers.Put(lines)
		}()
		for {
			stuck.Reset(silence)
			line, err := lines.ReadBytes('\n')
			stuck.Stop() // the time that the caller takes does not count
			switch {
			case ctx.Err() != nil:
				yield(api.Event{}, ctx.Err())
				return
			case errors.Is(err, io.EOF):
				yield(api.Event{}, ErrLost)
				return
			case reading.Err() != nil:
				yield(api.Event{}, fmt.Errorf("%w: it has said nothing for %v", ErrLost, silence))
				return
			case err != nil:
				yield(api.Event{}, c.lost(ctx, err))
				return
			case len(line) == 1:
				continue // the event only shows that the engine is alive
			}
			var ev api.Event
			if err := json.Unmarshal(line, &ev); err != nil {
				yield(api.Event{}, fmt.Errorf("an event of the engine on %s: %w", c.address, err))
				return
			}
			if !yield(ev, nil) {
				return
			}
			if last(ev) {
				// The engine ends the answer now. Read to its end, the connection serves the next request.
				stuck.Reset(time.Second) // nobody should wait longer, who has all already
				_, _ = lines.ReadByte()  // io.EOF
				return
			}
		}
	}
}
