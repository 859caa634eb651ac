package blender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"blendtray/addon"
)

// referenceTime is how long a Blender may take to write down its API, with its start: some 3 s on a
// machine that is idle.
const referenceTime = 5 * time.Minute

// WriteReference has the Blender at program write down its Python API as the file to, whose folder is
// private and for the files of this call alone. The Blender does nothing else, with a low priority, and
// ends. WriteReference fails when the Blender can't be started, crashes or takes too long, and when ctx
// ends.
func WriteReference(ctx context.Context, program, to string) error {
	err := writeReference(ctx, program, to)
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		// A node that can't be made in a Blender of this version may have crashed it.
		if again := writeReference(ctx, program, to, "plain"); again == nil {
			return nil
		}
	}
	return err
}

func writeReference(ctx context.Context, program, to string, more ...string) error {
	ctx, cancel := context.WithTimeout(ctx, referenceTime)
	defer cancel()
	dir := filepath.Dir(to)
	launcher, err := addon.Unpack(filepath.Join(dir, "addon"))
	if err != nil {
		return err
	}
	script := filepath.Join(filepath.Dir(launcher), "tcp_echo", "reference.py")
	args := []string{"--background", "--factory-startup", "-noaudio", "--python-exit-code", "1", "--python", script, "--", to}
	cmd := exec.CommandContext(ctx, program, append(args, more...)...)
	cmd.Dir = dir
	cmd.Env = append(Environ(os.Environ(), program), "TMPDIR="+dir, "TEMP="+dir, "TMP="+dir, "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = time.Second
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	alone(cmd)
	err = cmd.Run()
	if err == nil {
		_, err = os.Stat(to)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%s has not written down its API: %w: %s", program, err, lastLines(printed.Bytes(), 3))
}
