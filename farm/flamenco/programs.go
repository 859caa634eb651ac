package flamenco

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/shlex"
)

// execProgram starts a program and waits until it has ended. What it prints is in the log of the task.
func execProgram(ctx context.Context, j *job, _ int, c command) error {
	p, err := parameters[struct {
		Exe  string   `json:"exe"`
		Args []string `json:"args"`
	}](j, c)
	if err != nil {
		return err
	}
	return j.execute(ctx, p.Exe, p.Args)
}

// execute runs a program to its end, with what it prints in the log. When ctx ends, the program is killed.
func (j *job) execute(ctx context.Context, program string, args []string) error {
	if program == "" {
		return errors.New("it names no program (exe)")
	}
	j.report.printf("$ %s %s\n", program, strings.Join(args, " "))
	read, write := io.Pipe()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = write, write
	// A child of the program may keep the pipe open after the program has ended.
	cmd.WaitDelay = time.Second
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		lines := bufio.NewReaderSize(read, maxLine)
		for {
			line, err := lines.ReadSlice('\n')
			j.report.print(string(line))
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	}()
	err := cmd.Run()
	write.Close()
	<-printed
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

// maxLine is how much of a line is kept until the end of the line: a program may print none.
const maxLine = 64 << 10

// number is a number, or text that is a number.
type number float64

func (n *number) UnmarshalJSON(text []byte) error {
	value, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err != nil {
		return fmt.Errorf("%s is no number", text)
	}
	*n = number(value)
	return nil
}

// texts are texts, some of which may be written as numbers.
type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	var all []any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*t = nil
	for _, one := range all {
		*t = append(*t, fmt.Sprint(one))
	}
	return nil
}

// framesToVideo has FFmpeg make a video of pictures. The pictures are given to FFmpeg in a list, because
// only some of its builds know patterns.
func framesToVideo(ctx context.Context, j *job, _ int, c command) error {
	p, err := parameters[struct {
		Exe        string `json:"exe"`
		ExeArgs    string `json:"exeArgs"`
		FPS        number `json:"fps"`
		InputGlob  string `json:"inputGlob"`
		OutputFile string `json:"outputFile"`
		ArgsBefore texts  `json:"argsBefore"`
		Args       texts  `json:"args"`
	}](j, c)
	if err != nil {
		return err
	}
	if p.FPS <= 0 || p.OutputFile == "" {
		return errors.New("it needs fps and outputFile")
	}
	pictures, err := filepath.Glob(p.InputGlob)
	if err != nil {
		return fmt.Errorf("inputGlob: %w", err)
	}
	if len(pictures) == 0 {
		return fmt.Errorf("no file matches %s", p.InputGlob)
	}
	slices.Sort(pictures)
	list, err := os.CreateTemp("", "blendtray-frames-*.txt")
	if err != nil {
		return err
	}
	defer os.Remove(list.Name())
	_, err = list.WriteString(ffmpegList(pictures, float64(p.FPS)))
	if err = errors.Join(err, list.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.OutputFile), 0o775); err != nil {
		return err
	}
	args, err := shlex.Split(p.ExeArgs)
	if err != nil {
		return fmt.Errorf("exeArgs: %w", err)
	}
	args = append(args, p.ArgsBefore...)
	args = append(args, "-f", "concat", "-safe", "0", "-r", strconv.FormatFloat(float64(p.FPS), 'f', -1, 64), "-i", list.Name())
	args = append(append(args, p.Args...), p.OutputFile)
	if err := j.execute(ctx, cmp.Or(p.Exe, "ffmpeg"), args); err != nil {
		return err
	}
	j.pictures.offer(j.task.ID, pictures[len(pictures)-1])
	return nil
}

// ffmpegList returns a list of pictures as FFmpeg's demuxer "concat" reads it.
func ffmpegList(pictures []string, fps float64) string {
	var b strings.Builder
	b.WriteString("ffconcat version 1.0\n")
	for _, picture := range pictures {
		fmt.Fprintf(&b, "file '%s'\nduration %.6f\n", strings.ReplaceAll(filepath.ToSlash(picture), "'", `'\''`), 1/fps)
	}
	return b.String()
}

// makeDirectory makes a folder and those that it lies in.
func makeDirectory(_ context.Context, j *job, _ int, c command) error {
	p, err := parameters[struct {
		Path string `json:"path"`
	}](j, c)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(p.Path) {
		return fmt.Errorf("path: %q is no absolute path", p.Path)
	}
	return os.MkdirAll(p.Path, 0o775)
}

// sourceAndTarget are the parameters of commands that move and copy.
type sourceAndTarget struct {
	Src  string `json:"src"`
	Dest string `json:"dest"`
}

func (p sourceAndTarget) check() error {
	for name, path := range map[string]string{"src": p.Src, "dest": p.Dest} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%s: %q is no absolute path", name, path)
		}
	}
	_, err := os.Stat(p.Src)
	return err
}

// moveDirectory moves a folder. What was at its target before gets a name with its time.
func moveDirectory(_ context.Context, j *job, _ int, c command) error {
	p, err := parameters[sourceAndTarget](j, c)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	if err := moveAside(j, p.Dest); err != nil {
		return err
	}
	j.report.printf("%s is moved to %s\n", p.Src, p.Dest)
	return os.Rename(p.Src, p.Dest)
}

// moveAside gives what is at a path a name with its time, and a number where that name is taken.
func moveAside(j *job, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	aside := path + "-" + info.ModTime().Format("2006-01-02_150405")
	for n, base := 1, aside; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%03d", base, n)
	}
	j.report.printf("%s is there already and is moved to %s\n", path, aside)
	return os.Rename(path, aside)
}

// copyFile copies a file to where none is.
func copyFile(ctx context.Context, j *job, _ int, c command) (err error) {
	p, err := parameters[sourceAndTarget](j, c)
	if err != nil {
		return err
	}
	if err := p.check(); err != nil {
		return err
	}
	from, err := os.Open(p.Src)
	if err != nil {
		return err
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is no file", p.Src))
	}
	if err := os.MkdirAll(filepath.Dir(p.Dest), 0o775); err != nil {
		return err
	}
	to, err := os.OpenFile(p.Dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o664)
	if err != nil {
		return err
	}
	j.report.printf("%s is copied to %s\n", p.Src, p.Dest)
	_, err = io.Copy(to, reader{ctx, from})
	if err = errors.Join(err, to.Close()); err != nil {
		return errors.Join(err, os.Remove(p.Dest)) // half a file looks like a whole file
	}
	return nil
}

// reader reads until ctx ends.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
