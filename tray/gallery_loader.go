//go:build !headless

package tray

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"sync"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

const (
	// keptThumbs is how many thumbnails the gallery keeps. Each has about 100 KB.
	keptThumbs = 120
	// queuedThumbs is how many thumbnails wait to be made. What was wanted before has been scrolled away.
	queuedThumbs = 60
)

// thumb is the small picture of a shot, or a sentence in its place.
type thumb struct {
	image image.Image
	words string
}

// thumbCache keeps the thumbnails that were used last. It belongs to Fyne's goroutine.
type thumbCache struct {
	order list.List // of *keptThumb, the one used last first
	byKey map[string]*list.Element
}

type keptThumb struct {
	key string
	thumb
}

func (c *thumbCache) get(key string) (thumb, bool) {
	e := c.byKey[key]
	if e == nil {
		return thumb{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*keptThumb).thumb, true
}

func (c *thumbCache) put(key string, t thumb) {
	c.drop(key)
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	c.byKey[key] = c.order.PushFront(&keptThumb{key, t})
	for c.order.Len() > keptThumbs {
		c.drop(c.order.Back().Value.(*keptThumb).key)
	}
}

func (c *thumbCache) drop(key string) {
	if e := c.byKey[key]; e != nil {
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

func (c *thumbCache) clear() { *c = thumbCache{} }

// thumbLoader makes thumbnails on one goroutine, which ends when nothing waits: what was wanted last
// comes first, because a person sees it now.
type thumbLoader struct {
	ctx  context.Context
	load func(context.Context, shot) thumb
	done func(key string, t thumb) // called on the loader's goroutine

	mu      sync.Mutex
	queue   []wantedThumb // the next is the last
	working bool
}

type wantedThumb struct {
	key string
	of  shot
}

// want has the thumbnail of a shot made, soon.
func (l *thumbLoader) want(key string, of shot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.queue[:0]
	for _, w := range l.queue {
		if w.key != key {
			kept = append(kept, w)
		}
	}
	l.queue = append(kept, wantedThumb{key, of})
	if over := len(l.queue) - queuedThumbs; over > 0 {
		l.queue = append(l.queue[:0:0], l.queue[over:]...)
	}
	if !l.working {
		l.working = true
		go l.work()
	}
}

// forget empties the queue.
func (l *thumbLoader) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = nil
}

func (l *thumbLoader) work() {
	for {
		l.mu.Lock()
		n := len(l.queue)
		if n == 0 || l.ctx.Err() != nil {
			l.working = false
			l.mu.Unlock()
			return
		}
		next := l.queue[n-1]
		l.queue = l.queue[:n-1]
		l.mu.Unlock()
		l.done(next.key, l.load(l.ctx, next.of))
	}
}

// readShot returns the picture of a shot, as small as it fits into a box. It reads the file, or asks the
// engine for the thumbnail that Blender makes of a file that is not read here.
func (w *window) readShot(ctx context.Context, s shot, box image.Point) (image.Image, error) {
	small, err := w.readPicture(ctx, s, func(path string) (image.Image, error) { return shrink(path, box) })
	if err != nil || !s.made() {
		return small, err
	}
	return fit(small, box), nil
}

// readPicture calls read with the path of a shot when nothing else is decoded: pictures take memory. Of a
// file that is not read here it returns the thumbnail that the engine has.
func (w *window) readPicture(ctx context.Context, s shot, read func(string) (image.Image, error)) (image.Image, error) {
	if s.made() {
		return w.askThumbnail(ctx, s)
	}
	select {
	case w.decoding <- struct{}{}:
		defer func() { <-w.decoding }()
		if ctx.Err() != nil { // both may have come at once
			return nil, ctx.Err()
		}
		return read(s.path)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// askThumbnail returns the thumbnail that the engine has of a shot, or has Blender make.
func (w *window) askThumbnail(ctx context.Context, s shot) (image.Image, error) {
	text, err := w.shell.cfg.Client.Thumbnail(ctx, s.run.ID, s.output)
	if err != nil {
		if _, gone := os.Stat(s.path); errors.Is(gone, fs.ErrNotExist) {
			err = gone
		}
		return nil, err
	}
	return decodeFrom(bytes.NewReader(text), s.path)
}

// missingWords returns the sentence that stands in the place of a picture that can't be read.
func missingWords(s shot, err error) string {
	var large *tooLargeError
	switch {
	case s.replaced != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, api.ErrNoThumbnail)):
		return lang.L("Run {{.Run}} has written over this file.", map[string]any{"Run": s.replaced})
	case errors.Is(err, fs.ErrNotExist):
		return lang.L("The file is gone.")
	case errors.Is(err, fs.ErrPermission):
		return lang.L("The file may not be read.")
	case errors.Is(err, api.ErrNoThumbnail):
		return lang.L("Blender can't make a thumbnail of this file.")
	case errors.As(err, &large):
		return lang.L("{{.Width}} × {{.Height}} pixels are too many to be shown here.", map[string]any{"Width": large.size.X, "Height": large.size.Y})
	}
	return lang.L("The picture can't be read: {{.Why}}", map[string]any{"Why": oneLine(err.Error(), 60)})
}

// thumbKeyOf returns the name of a shot's thumbnail in the cache: a render that goes on has another picture
// with each frame, and a late thumbnail of one of them must not be taken for the picture of the run.
func thumbKeyOf(s shot) string { return fmt.Sprintf("%s %t %s", keyOf(s), s.live, s.path) }

// keyOf returns the name of a shot.
func keyOf(s shot) string { return fmt.Sprintf("%s/%d", s.run.ID, s.output) }
