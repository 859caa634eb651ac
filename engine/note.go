package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"blendtray/api"
)

// note is the first line of a journal whose run the database does not have yet: all that is written down
// of a run when it is made. See docs/protocol.md.
type note struct {
	Code      string        `json:"code"`
	Hash      string        `json:"hash"`
	Name      string        `json:"name"`
	Session   string        `json:"session"`
	Blender   string        `json:"blender"`
	Scene     string        `json:"scene"`
	Dir       string        `json:"dir,omitempty"`
	Args      []string      `json:"args,omitempty"`
	Client    string        `json:"client,omitempty"`
	Origin    string        `json:"origin,omitempty"`
	Source    api.Source    `json:"source"`
	Isolation api.Isolation `json:"isolation"`
	Leftover  api.Leftover  `json:"leftover"`
	Limits    *api.Limits   `json:"limits,omitempty"`
	Limit     time.Duration `json:"limit,omitempty"` // in ns
	QueuedAt  int64         `json:"queued_at"`       // in ns since 1970
	SentAt    int64         `json:"sent_at"`         // in ns since 1970
	Repeats   int32         `json:"repeats,omitempty"`
	Echo      bool          `json:"echo,omitempty"`
	Confined  bool          `json:"confined,omitempty"`
}

const (
	// madeWord begins the line with a [note].
	madeWord = "made"
	// sentWord is the line of a run that the database has as waiting, and that was sent.
	sentWord = "sent"
	// knownWord is the line of a run of which the database has all that the lines before say, in a journal that
	// stays for another reason.
	knownWord = "known"
)

// noteNewLocked gives an id to a job that nothing has, and makes its journal, with a note of it. It
// returns false where the journal can't be made; then the job is as before. It needs turn.
func (e *Engine) noteNewLocked(j *job) bool {
	e.store.reserve(j)
	if j.late.missing = true; e.noteLocked(j) {
		return true
	}
	j.late.missing = false
	j.forgetID()
	return false
}

// noteLocked makes the journal of a job that is about to be sent, which the database learns later. It returns
// false where the journal can't be made. It needs turn.
func (e *Engine) noteLocked(j *job) bool {
	now := time.Now()
	line := sentWord + "\n"
	if j.late.missing {
		text, err := json.Marshal(noteOf(j, now))
		if err != nil {
			return false
		}
		line = madeWord + " " + string(text) + "\n"
	}
	made := e.beginJournal(j.id, false, line)
	if made.path == "" {
		return false
	}
	j.journal, j.late.sent = made, now
	e.postponeLocked(j)
	return true
}

// noteOf returns the note of a job that is sent at a time.
func noteOf(j *job, at time.Time) *note {
	r := &j.run
	n := &note{
		Code: string(j.code), Hash: r.SHA256, Name: r.Script, Session: r.Session, Blender: r.Blender, Scene: r.Scene, Dir: j.dir,
		Args: r.Args, Client: r.Client, Origin: r.Origin, Source: r.Source, Isolation: r.Isolation, Leftover: r.Leftover,
		Limit: j.limit, QueuedAt: r.QueuedAt.UnixNano(), SentAt: at.UnixNano(), Repeats: j.repeats, Echo: j.echo, Confined: j.confined,
	}
	if r.Limits != (api.Limits{}) {
		n.Limits = &r.Limits
	}
	return n
}

// job returns the job of a note, and false where the note is not whole.
func (n *note) job(id int64) (*job, bool) {
	code := []byte(n.Code)
	if n.Hash != hashOf(code) {
		return nil, false
	}
	j := &job{id: id, place: id, dir: n.Dir, limit: n.Limit, repeats: n.Repeats, echo: n.Echo, confined: n.Confined, code: code, run: api.Run{
		ID: formatID(id), State: api.Queued, Script: n.Name, SHA256: n.Hash, Session: n.Session, Blender: n.Blender, Scene: n.Scene,
		Args: append([]string{}, n.Args...), Client: n.Client, Origin: n.Origin, Source: n.Source, Isolation: n.Isolation, Leftover: n.Leftover,
		QueuedAt: time.Unix(0, n.QueuedAt).UTC(),
	}}
	if n.Limits != nil {
		j.run.Limits = *n.Limits
	}
	return j, true
}

// adoptJournals writes down what the journals of short runs know and the database does not, because the
// engine before has ended before it came to it: that runs were made, and that they were sent.
func (e *Engine) adoptJournals() error {
	if e.cfg.JournalDir == "" {
		return nil
	}
	entries, err := os.ReadDir(e.cfg.JournalDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id, ours := parseID(entry.Name())
		if !ours {
			continue
		}
		left := &journal{path: e.journalFile(id)}
		left.look()
		if left.known || left.note == nil && !left.sent {
			continue
		}
		if err := e.adopt(id, left); err != nil {
			return fmt.Errorf("write down run %d, which its journal has: %w", id, err)
		}
	}
	return nil
}

// adopt writes down what a journal knows of the run id.
func (e *Engine) adopt(id int64, left *journal) error {
	known, err := e.store.get(context.Background(), id)
	switch {
	case err == nil && known.run.State == api.Queued:
		return e.store.setRunning(id, left.at, func() error { return nil })
	case err == nil, left.note == nil:
		return nil
	case !errors.Is(err, api.ErrNotFound):
		return err
	}
	j, whole := left.note.job(id)
	if !whole {
		return nil
	}
	return e.store.adopt(insert{job: j, code: j.code, reserved: true, sent: time.Unix(0, left.note.SentAt)})
}
