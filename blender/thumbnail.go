package blender

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blendtray/addon"
)

const (
	// thumbnailSize is the longer side of a thumbnail, in pixels.
	thumbnailSize = 960
	// thumbnailTime is how long a thumbnail may take, with the start of Blender.
	thumbnailTime = 90 * time.Second
	// thumbnailRest is how long the Blender that makes thumbnails waits for the next one.
	thumbnailRest = 10 * time.Second
	// maxImage is how many bytes an image may have of which a thumbnail is made. Of a movie, a frame
	// alone is read.
	maxImage = 1 << 30
)

// ErrNoThumbnail is returned when Blender can't make a thumbnail of a file.
var ErrNoThumbnail = errors.New("there is no thumbnail")

// Thumbnailer makes small pictures of images and movies. It has a Blender of its own for that, with the
// lowest priority, which ends when it has nothing to do: no run waits for a thumbnail, no scene is touched,
// and a file with which Blender crashes costs nothing but its thumbnail.
type Thumbnailer struct {
	dir  string
	slot chan struct{} // held while a thumbnail is made

	mu     sync.Mutex
	maker  *maker
	rest   *time.Timer
	closed bool
	swept  bool // what an engine that was killed has left is removed

	living sync.WaitGroup // the Blenders that have not ended
}

// NewThumbnailer returns a Thumbnailer that keeps its files in a folder, made with mode 0700.
func NewThumbnailer(dir string) *Thumbnailer {
	return &Thumbnailer{dir: dir, slot: make(chan struct{}, 1)}
}

// maker is a Blender that makes thumbnails.
type maker struct {
	program string
	temp    string
	cancel  context.CancelFunc // kills the process
	input   io.WriteCloser
	ended   func()      // called when the process ends
	answers chan string // the answers, without the mark; closed when the process has ended
}

// thumbnailMark begins the line of an answer, as in thumbnails.py.
const thumbnailMark = "thumbnail: "

// Make has the Blender at program write a JPEG of the file from, an image or a movie, as to, with a longer
// side of 960 pixels at most. It fails with [ErrNoThumbnail] when Blender can't read the file or takes too
// long, and with another error when Blender can't be started or ctx ends.
func (t *Thumbnailer) Make(ctx context.Context, program, from, to string, movie bool) error {
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is no file", ErrNoThumbnail, from)
	case !movie && info.Size() > maxImage:
		return fmt.Errorf("%w: %s has more than %d MiB", ErrNoThumbnail, from, maxImage>>20)
	}
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return ctx.Err()
	}
	m, err := t.begin(program)
	if err != nil {
		return err
	}
	defer t.end()
	limit := time.NewTimer(thumbnailTime)
	defer limit.Stop()
	request, err := json.Marshal(map[string]any{"from": osText(from), "to": osText(to), "movie": movie, "size": thumbnailSize})
	if err != nil {
		return err
	}
	if _, err := m.input.Write(append(request, '\n')); err != nil {
		t.drop(m)
		return fmt.Errorf("ask Blender for a thumbnail: %w", err)
	}
	select {
	case text, ok := <-m.answers:
		var answer struct{ Error string }
		switch {
		case !ok:
			t.drop(m)
			return fmt.Errorf("%w: Blender has crashed with %s", ErrNoThumbnail, from)
		case json.Unmarshal([]byte(text), &answer) != nil:
			t.drop(m)
			return fmt.Errorf("the answer of Blender is not JSON: %.200q", text)
		case answer.Error != "":
			return fmt.Errorf("%w: %s", ErrNoThumbnail, answer.Error)
		}
		return nil
	case <-limit.C:
		t.drop(m)
		return fmt.Errorf("%w: %s takes more than %s", ErrNoThumbnail, from, thumbnailTime)
	case <-ctx.Done():
		t.drop(m)
		return ctx.Err()
	}
}

// begin returns the Blender that makes thumbnails, and starts it where there is none.
func (t *Thumbnailer) begin(program string) (*maker, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errors.New("the engine is ending")
	}
	if t.rest != nil {
		t.rest.Stop()
	}
	if m := t.maker; m != nil && m.program == program {
		return m, nil
	}
	t.dropLocked(t.maker)
	if !t.swept {
		t.swept = true
		sweepMakers(t.dir)
	}
	m, serve, err := startMaker(t.dir, program)
	if err != nil {
		return nil, fmt.Errorf("start a Blender for thumbnails: %w", err)
	}
	m.ended = func() { t.drop(m) } // the next thumbnail is made by another
	t.living.Go(serve)
	t.maker = m
	return m, nil
}

// end has the Blender end some time after the last thumbnail.
func (t *Thumbnailer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.maker; m != nil {
		t.rest = time.AfterFunc(thumbnailRest, func() {
			select {
			case t.slot <- struct{}{}:
				defer func() { <-t.slot }()
				t.drop(m)
			default: // it makes one
			}
		})
	}
}

func (t *Thumbnailer) drop(m *maker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLocked(m)
}

// dropLocked ends a Blender. It needs mu.
func (t *Thumbnailer) dropLocked(m *maker) {
	if m == nil || t.maker != m {
		return
	}
	t.maker = nil
	m.cancel()
}

// Close ends the Blender, and returns when it is gone.
func (t *Thumbnailer) Close() {
	t.mu.Lock()
	t.closed = true
	t.dropLocked(t.maker)
	t.mu.Unlock()
	t.living.Wait()
}

// makerTemp begins the name of the folder of temporary files of a Blender that makes thumbnails.
const makerTemp = "tmp"

// sweepMakers removes the temporary files of Blenders whose engine was killed.
func sweepMakers(dir string) {
	entries, _ := os.ReadDir(dir) // there may be no folder yet
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), makerTemp) {
			_ = os.RemoveAll(filepath.Join(dir, entry.Name())) // the next engine tries again
		}
	}
}

// startMaker starts a Blender that makes thumbnails. serve reads what it prints, and returns when it has
// ended.
func startMaker(dir, program string) (m *maker, serve func(), err error) {
	if err := addon.PrivateFolder(dir); err != nil {
		return nil, nil, err
	}
	launcher, err := addon.Unpack(filepath.Join(dir, "addon"))
	if err != nil {
		return nil, nil, err
	}
	temp, err := os.MkdirTemp(dir, makerTemp)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	script := filepath.Join(filepath.Dir(launcher), "tcp_echo", "thumbnails.py")
	cmd := exec.CommandContext(ctx, program, "--background", "--factory-startup", "-noaudio", "--python", script)
	cmd.Dir = temp
	cmd.Env = append(Environ(os.Environ(), program), "TMPDIR="+temp, "TEMP="+temp, "TMP="+temp, "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = time.Second // a process that Blender has started may hold the pipe open
	alone(cmd)
	m = &maker{program: program, temp: temp, cancel: cancel, answers: make(chan string, 1)}
	output, err := cmd.StdoutPipe()
	if err == nil {
		m.input, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		_ = os.RemoveAll(temp) // it is empty
		return nil, nil, err
	}
	return m, func() { m.read(cmd, output) }, nil
}

// read reads what Blender prints until it ends.
func (m *maker) read(cmd *exec.Cmd, output io.Reader) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), thumbnailMark); ok {
			select {
			case m.answers <- text:
			default: // nobody has asked for it
			}
		}
	}
	m.ended()
	m.cancel() // a line without an end is no answer either
	_ = cmd.Wait()
	_ = os.RemoveAll(m.temp) // the system removes what can't be removed now
	close(m.answers)
}
