package home

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/DeRuina/timberjack"
)

// A log file is put aside when it has logMegabytes; logBackups older files are kept beside it.
const (
	logMegabytes = 10
	logBackups   = 4
)

// Logs are the log files of a running engine.
type Logs struct {
	// Logger writes to the log of the engine. It also shows warnings to the user.
	Logger *slog.Logger

	paths  Paths
	recent *recent

	mu    sync.Mutex
	files map[string]*timberjack.Logger // by path
}

// OpenLogs opens the log files. warn is called with the text of each warning, which may hold
// control characters from elsewhere.
func OpenLogs(p Paths, warn func(text string)) *Logs {
	l := &Logs{paths: p, recent: &recent{}, files: map[string]*timberjack.Logger{}}
	l.Logger = slog.New(bothHandlers{
		slog.NewTextHandler(l.open(p.EngineLog()), &slog.HandlerOptions{Level: slog.LevelInfo}),
		&warnHandler{warn: warn, warned: l.recent},
	})
	return l
}

// Blender returns where what the Blender with a name prints is written to. All processes of the Blender
// have one log.
func (l *Logs) Blender(name string) io.Writer { return l.open(l.paths.BlenderLog(name)) }

// open returns the log at a path. The file is made when something is written.
func (l *Logs) open(path string) io.Writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files[path] == nil {
		l.files[path] = &timberjack.Logger{
			Filename: path,
			MaxSize:  logMegabytes, MaxBackups: logBackups,
			LocalTime: true, FileMode: 0o600,
		}
	}
	return l.files[path]
}

// Close closes the log files.
func (l *Logs) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		f.Close() // each line was written when it came
	}
}

// Warned tells whether a text was shown as a warning a moment ago. It returns true once for each
// warning.
func (l *Logs) Warned(text string) bool { return l.recent.remove(text) }

// recent holds the last few warnings. The engine also sends its warnings as events, and a user
// wants to see each of them once.
type recent struct {
	mu    sync.Mutex
	texts []string
}

func (r *recent) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
	r.texts = r.texts[max(0, len(r.texts)-64):]
}

// remove removes a text and returns true, or returns false when the text is not there.
func (r *recent) remove(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.texts, text)
	if i >= 0 {
		r.texts = slices.Delete(r.texts, i, i+1)
	}
	return i >= 0
}

// bothHandlers passes every record on to two handlers.
type bothHandlers [2]slog.Handler

func (b bothHandlers) Enabled(ctx context.Context, level slog.Level) bool {
	return b[0].Enabled(ctx, level) || b[1].Enabled(ctx, level)
}

func (b bothHandlers) Handle(ctx context.Context, r slog.Record) error {
	var errs [2]error
	for i, h := range b {
		if h.Enabled(ctx, r.Level) {
			errs[i] = h.Handle(ctx, r.Clone())
		}
	}
	return errors.Join(errs[:]...)
}

func (b bothHandlers) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bothHandlers{b[0].WithAttrs(attrs), b[1].WithAttrs(attrs)}
}

func (b bothHandlers) WithGroup(name string) slog.Handler {
	return bothHandlers{b[0].WithGroup(name), b[1].WithGroup(name)}
}

// warnHandler shows records as warnings.
type warnHandler struct {
	warn   func(text string)
	warned *recent
	attrs  []slog.Attr
}

func (h *warnHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

func (h *warnHandler) Handle(_ context.Context, r slog.Record) error {
	var facts []string
	add := func(a slog.Attr) bool {
		facts = append(facts, fmt.Sprintf("%s: %v", a.Key, a.Value))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.warned.add(r.Message)
	text := r.Message
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	h.warn(text)
	return nil
}

func (h *warnHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnHandler{h.warn, h.warned, append(append([]slog.Attr{}, h.attrs...), attrs...)}
}

func (h *warnHandler) WithGroup(string) slog.Handler { return h }
