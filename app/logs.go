package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/DeRuina/timberjack"
)

// The log files in the log folder, each with up to four older ones beside it.
const (
	engineLog  = "engine.log"
	blenderLog = "blender.log"

	logMegabytes = 10
	logBackups   = 4
)

// logs are what a running engine writes down.
type logs struct {
	// blender takes what Blender prints, logger what the engine has to say: all of it goes to
	// its file, warnings to standard error too.
	blender io.Writer
	logger  *slog.Logger
	files   []io.Closer
	recent  *recent
}

// warned tells whether a text was just said as a warning.
func (l *logs) warned(text string) bool { return l.recent.take(text) }

// recent is the last few warnings: the engine sends them as events too, and once is enough.
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

func (r *recent) take(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.texts, text)
	if i >= 0 {
		r.texts = slices.Delete(r.texts, i, i+1)
	}
	return i >= 0
}

func openLogs(paths Paths, t *terminal) *logs {
	file := func(name string) *timberjack.Logger {
		return &timberjack.Logger{
			Filename: filepath.Join(paths.Log, name),
			MaxSize:  logMegabytes, MaxBackups: logBackups,
			LocalTime: true, FileMode: 0o600,
		}
	}
	own, blender := file(engineLog), file(blenderLog)
	said := &recent{}
	return &logs{
		blender: blender,
		logger: slog.New(bothHandlers{
			slog.NewTextHandler(own, &slog.HandlerOptions{Level: slog.LevelInfo}),
			&warnHandler{t: t, said: said},
		}),
		files:  []io.Closer{own, blender},
		recent: said,
	}
}

func (l *logs) close() {
	for _, f := range l.files {
		f.Close() // each line was written when it came
	}
}

// bothHandlers gives every record to two handlers.
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

// warnHandler words records as warnings on standard error.
type warnHandler struct {
	t     *terminal
	said  *recent
	attrs []slog.Attr
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
	h.said.add(r.Message)
	text := r.Message
	if len(facts) > 0 {
		text += " (" + strings.Join(facts, ", ") + ")"
	}
	h.t.warn("%s", clean(text))
	return nil
}

func (h *warnHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnHandler{h.t, h.said, append(append([]slog.Attr{}, h.attrs...), attrs...)}
}

func (h *warnHandler) WithGroup(string) slog.Handler { return h }
