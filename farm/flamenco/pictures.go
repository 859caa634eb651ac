package flamenco

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	_ "image/png" // the format of most renders
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // a format of renders
)

// pictures sends the manager the pictures that tasks have rendered last, one at a time, and leaves out
// those that newer pictures overtake.
type pictures struct {
	manager *manager
	every   time.Duration
	log     *slog.Logger
	wake    chan struct{}

	mu         sync.Mutex
	task, path string
}

func newPictures(m *manager, every time.Duration, log *slog.Logger) *pictures {
	return &pictures{manager: m, every: every, log: log, wake: make(chan struct{}, 1)}
}

// offer has a picture of a task sent. What is no picture that can be read here is left out.
func (p *pictures) offer(task, path string) {
	if path == "" {
		return
	}
	p.mu.Lock()
	p.task, p.path = task, path
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // the newest is taken in any case
	}
}

// serve sends pictures until ctx ends.
func (p *pictures) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		p.mu.Lock()
		task, path := p.task, p.path
		p.mu.Unlock()
		small, err := smallJPEG(path)
		if err == nil {
			err = p.manager.picture(ctx, task, small)
		}
		if err != nil && !errors.Is(err, image.ErrFormat) {
			p.log.Debug("flamenco: a picture is not sent", "picture", path, "error", err)
		}
		if pause(ctx, p.every) != nil {
			return
		}
	}
}

const (
	// maxSide is how wide or high a picture is at most that is sent: Flamenco shows 1920 pixels.
	maxSide = 1920
	// maxPixels is how large a picture may be that is read for this: it takes 4 bytes a pixel.
	maxPixels = 100 << 20
	// quality is that of the JPEG files.
	quality = 85
)

var errTooLarge = errors.New("the picture is too large to be shown")

// smallJPEG returns a picture file as a JPEG file of at most 1920 pixels a side. It fails with
// [image.ErrFormat] for what it can't read, such as EXR.
func smallJPEG(path string) ([]byte, error) {
	// A run may name anything: to open a pipe would wait for whoever writes to it.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, image.ErrFormat
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, _, err := image.DecodeConfig(f)
	switch {
	case err != nil:
		return nil, err
	case int64(size.Width)*int64(size.Height) > maxPixels:
		return nil, errTooLarge
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, err
	}
	if longest := max(size.Width, size.Height); longest > maxSide {
		small := image.NewRGBA(image.Rect(0, 0, max(1, size.Width*maxSide/longest), max(1, size.Height*maxSide/longest)))
		draw.ApproxBiLinear.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
		picture = small
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality})
	return out.Bytes(), err
}
