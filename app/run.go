package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/control"
)

type runCmd struct {
	File      string    `arg:"" optional:"" help:"The script, or - to read it from standard input."`
	Code      *string   `short:"c" placeholder:"CODE" help:"Run this Python code instead of a file."`
	Scene     string    `placeholder:"SCENE" help:"What it starts from: fresh (the factory scene), keep (what the last run left), or a .blend file. Default: fresh for a file, keep for -c and -."`
	Confined  bool      `help:"Begin the session in a Blender without network that can write in one folder alone; with --session, on Linux."`
	Echo      bool      `help:"Show the value of the last expression, as the interactive interpreter does; with --session."`
	Session   string    `placeholder:"NAME" help:"Run it in this session: a Blender of its own that keeps its scene, modules and names from run to run, until \"session end\" or a time without use."`
	Isolation isolation `placeholder:"WHAT" help:"What it shares with the runs before it: process (nothing: a Blender in which nothing has run), scene (a Blender that goes on, with a scene made anew), or keep (everything). Default: as the settings say; keep for -c and -."`
	Blender   string    `placeholder:"NAME" help:"The Blender that executes it: a name of \"blendtray status\", a version such as 4.5 (the newest Blender of it), or open for one that is open. Default: what a comment \"# blender: NAME\" in the script says, else the Blender of the table blender."`
	frameFlags
	limitFlags
	Leftover leftover   `placeholder:"WHEN" help:"When processes end, at the latest, that it leaves running: blender (with its Blender) or run (with it). Default: as the engine's settings say."`
	Timeout  *timeLimit `placeholder:"TIME" help:"End it after this time, such as 30s or 5m; 0 for no limit. Default: as the engine's settings say."`
	Attach   bool       `help:"Run it in a Blender with a window whose add-on takes scripts, in the scene that is open there."`
	Debug    bool       `help:"Wait for a debugger before its first line, in a Blender of its own, and say how VS Code and PyCharm attach."`
	PID      int        `name:"pid" placeholder:"N" help:"With --attach: the Blender of this process, where there are several."`
	JSON     bool       `name:"json" help:"Print the finished run as JSON, and nothing else."`
	AsScript bool       `name:"exit-code" help:"End with the exit code of the script, when it ended by itself: sys.exit(3) is 3."`
}

// limitFlags are the flags that say what a run may use.
type limitFlags struct {
	MaxMemory    *api.Bytes `placeholder:"SIZE" help:"Let no process of it allocate more memory, such as 4GB; none for no limit. Default: as the engine's settings say."`
	Nice         *uint32    `placeholder:"N" help:"Lower its priority on the processor by so much, 1 to 19; 0 for not at all. Default: as the engine's settings say."`
	MaxProcesses *uint32    `placeholder:"N" help:"Let it start no more processes; 0 for any number. Default: as the engine's settings say."`
}

// limits returns what the flags say.
func (c limitFlags) limits() api.Limits {
	return api.Limits{
		MaxMemory: orLifted[api.Bytes, int64](c.MaxMemory), Nice: orLifted[uint32, int](c.Nice),
		MaxProcesses: orLifted[uint32, int](c.MaxProcesses),
	}
}

func (runCmd) Help() string {
	return `The script runs in the Blender that "blendtray serve" keeps warm, as "blender --python FILE -- ARGS" would run it. What Blender prints meanwhile goes to standard output, the traceback of a script that fails to standard error. Ctrl-C cancels the run; a second one leaves at once.

    blendtray run turntable.py
    blendtray run export.py --scene house.blend -- --format glb
    blendtray run -c 'import bpy; print(len(bpy.data.objects))'
    generate-script | blendtray run -
    blendtray run --session chair -c 'legs = 4'
    blendtray run --attach tool.py
    blendtray run --blender 4.5 export.py
    blendtray run build_shot.py --frames 1-24
    blendtray run --debug broken.py

With --frame or --frames, these frames are rendered when the script has ended without an error, into the output of the scene that it has left, as "blender --python FILE --render-frame FRAMES" does.

` + exitCodes
}

const exitCodes = `Exit codes:

    0  it succeeded
    1  the script failed, or a frame can't be rendered
    2  the command line is wrong
    3  no engine answers, or it went away meanwhile
    4  it was over its time limit
    5  Blender crashed
    6  it was cancelled`

func (c *runCmd) Run(e *env) error {
	if pid, ok := openBlenderOf(c.Blender); ok && !c.Attach {
		c.Attach, c.PID, c.Blender = true, pid, ""
	}
	if c.Attach && c.Blender != "" {
		return fault.New(fault.Usage, "leave one of the two out", "--attach and --blender %s name two Blenders", c.Blender)
	}
	sub, err := c.submission(e)
	if err != nil {
		return err
	}
	own := c.Isolation.Isolation == api.IsolateProcess || c.Isolation == isolation{}
	switch {
	case c.Debug && (c.Attach || c.JSON || c.Session != "" || c.PID != 0 || !own):
		return fault.New(fault.Usage, "leave --attach, --pid, --session, --isolation and --json out", "--debug starts a Blender of its own, and prints how to attach to it")
	case c.Debug:
		return c.debug(e, sub)
	case c.Attach:
		return c.attach(e, sub)
	}
	if c.PID != 0 {
		return fault.New(fault.Usage, "add --attach", "--pid is for a Blender with a window")
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	return c.follow(e, client, sub)
}

// openBlenderOf returns the process id of an open Blender that a name means: 0 for "open", which is
// any, and N for "open-N". ok is false for other names.
func openBlenderOf(name string) (pid int, ok bool) {
	if name == "open" {
		return 0, true
	}
	number, ok := strings.CutPrefix(name, "open-")
	pid, err := strconv.Atoi(number)
	return pid, ok && err == nil && pid > 0
}

// follow has the engine make a run and shows the run until it has ended.
func (c *runCmd) follow(e *env, client *control.Client, sub api.Submission) error {
	run, err := e.follow(client, sub, c.JSON)
	if err != nil {
		return err
	}
	return c.ended(e, run)
}

// follow has the engine make a run, shows the run until it has ended unless it is quiet, and returns
// the ended run; a quiet one with its output.
func (e *env) follow(client *control.Client, sub api.Submission, quiet bool) (api.Run, error) {
	r := &follower{env: e, client: client, quiet: quiet, shown: statusFilter{on: e.bar && e.width() > 0}}
	run, err := r.follow(sub)
	if err == nil && quiet {
		run, err = client.Run(e, run.ID)
	}
	return run, err
}

// ended shows how a run ended and returns the exit code as an error; with AsScript the exit code
// is the code of the script.
func (c *runCmd) ended(e *env, run api.Run) error {
	err := e.showEnded(run, c.JSON)
	if c.AsScript && run.ExitCode != nil {
		if *run.ExitCode == 0 {
			return err
		}
		e.exit(err) // exit prints the error
		return fault.Quietly(*run.ExitCode)
	}
	return err
}

// showEnded shows how a run ended, or prints it as JSON, and returns the exit code as an error.
func (e *env) showEnded(run api.Run, asJSON bool) error {
	if asJSON {
		if err := e.printJSON(run); err != nil {
			return err
		}
		return exitAs(run.State)
	}
	e.summary(run)
	return e.verdict(run)
}

// summary shows a person what a run left beside its output.
func (e *env) summary(run api.Run) {
	if e.width() == 0 {
		return // nobody looks at standard output
	}
	if result := resultOf(run); result != "" {
		e.note("result %s", cut(result, maxTextInLine))
	}
	for _, path := range someOutputs(run) {
		e.note("made %s", path)
	}
}

// maxOutputsShown is how many files of a run are listed for a person.
const maxOutputsShown = 12

// someOutputs returns the files that a run made, each on a line; of many, the first ones, how many
// there are, and the last.
func someOutputs(run api.Run) (lines []string) {
	for i, path := range run.Outputs {
		left := len(run.Outputs) - i
		switch {
		case len(run.Outputs) <= maxOutputsShown, i < maxOutputsShown-2, left == 1:
			lines = append(lines, api.NameInLine(path))
		case i == maxOutputsShown-2:
			lines = append(lines, fmt.Sprintf("(%d more)", left-1))
		}
	}
	return lines
}

// isolation is the flag that says what a run shares.
type isolation struct{ api.Isolation }

// leftover is the flag that says when processes end that a run leaves running.
type leftover struct{ api.Leftover }

// orLifted returns the limit that a flag sets: 0 without the flag, and a negative number when the
// flag lifts the limit.
func orLifted[F api.Bytes | uint32, L int | int64](flag *F) L {
	switch {
	case flag == nil:
		return 0
	case *flag == 0:
		return -1
	}
	return L(*flag)
}

// timeLimit is a duration as a person writes it; 0 means no limit.
type timeLimit time.Duration

func (l *timeLimit) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time, such as 30s, 5m or 1h30m, nor 0 for no limit", text)
	}
	*l = timeLimit(d)
	return nil
}

// seconds returns the time limit as a submission has it: 0 without the flag, and a negative number for
// no limit.
func (l *timeLimit) seconds() float64 {
	switch {
	case l == nil:
		return 0
	case *l == 0:
		return -1
	}
	return time.Duration(*l).Seconds()
}

// submission reads the script and returns a submission that does not depend on the folder of the
// client.
func (c *runCmd) submission(e *env) (api.Submission, error) {
	var s api.Submission
	dir, err := os.Getwd()
	if err != nil {
		return s, err
	}
	const hint = "`blendtray run --help` has examples"
	s.Args = append([]string{}, e.scriptArgs...)
	s.Client, s.Blender = "blendtray run", c.Blender
	s.Scene = "keep"
	switch {
	case c.Code != nil && c.File != "":
		return s, fault.New(fault.Usage, "arguments for the script follow --", "both a file and -c were given")
	case c.Code != nil:
		s.Code, s.Name, s.Dir = []byte(*c.Code), "<command line>", dir
	case c.File == "":
		return s, fault.New(fault.Usage, hint, "there is nothing to run: give a file, -, or -c CODE")
	case c.File == "-":
		s.Name, s.Dir = "<stdin>", dir
		if s.Code, err = io.ReadAll(io.LimitReader(e.stdin, api.MaxCode+1)); err != nil {
			return s, fmt.Errorf("read the script from standard input: %w", err)
		}
	default:
		s.Script, s.Scene = filepath.Join(dir, c.File), "fresh"
		if filepath.IsAbs(c.File) {
			s.Script = filepath.Clean(c.File)
		}
		if s.Code, err = readScript(s.Script); err != nil {
			return s, err
		}
	}
	if c.Attach || c.Session != "" {
		s.Scene = "keep"
	}
	if c.Session != "" {
		if err := checkSessionName(c.Session); err != nil {
			return s, err
		}
		s.Session, s.Echo, s.Confined = c.Session, c.Echo, c.Confined
	}
	if c.Scene != "" {
		if s.Scene, err = scene(c.Scene, dir); err != nil {
			return s, err
		}
	}
	if s.Isolation = c.Isolation.Isolation; s.Isolation == api.IsolateKeep && c.Scene == "" {
		s.Scene = "keep"
	} else if s.Isolation != api.IsolateAuto && c.Scene == "" && s.Scene == "keep" && !c.Attach {
		s.Scene = "fresh"
	}
	s.Leftover = c.Leftover.Leftover
	s.Limits, s.TimeLimitSeconds = c.limits(), c.Timeout.seconds()
	if c.Confined && c.Session == "" {
		return s, fault.New(fault.Usage, "add --session NAME", "--confined is for runs in a session")
	}
	if c.Echo && c.Session == "" {
		return s, fault.New(fault.Usage, "add --session NAME", "--echo is for runs in a session")
	}
	frames, err := c.frames()
	if err != nil {
		return s, err
	}
	if !frames.None() {
		if c.Attach {
			return s, fault.New(fault.Usage, "leave --attach out", "a Blender with a window renders no frames for a run")
		}
		s.Render = &api.Render{Frames: frames}
	}
	return s, nil
}

func readScript(path string) ([]byte, error) {
	code, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.Usage, "", "there is no file %s", path)
	case err != nil:
		return nil, fault.New(fault.Usage, "", "read the script: %w", err)
	}
	return code, nil
}

// scene returns the value of --scene with an absolute path, and fails when the value is no
// scene.
func scene(value, dir string) (string, error) {
	if value == "fresh" || value == "keep" {
		return value, nil
	}
	if !strings.EqualFold(filepath.Ext(value), ".blend") {
		return "", fault.New(fault.Usage, "it is fresh, keep, or the path of a .blend file", "there is no scene %q", value)
	}
	if !filepath.IsAbs(value) {
		value = filepath.Join(dir, value)
	}
	if _, err := os.Stat(value); err != nil {
		return "", fault.New(fault.Usage, "", "the scene can't be opened: %w", err)
	}
	return filepath.Clean(value), nil
}

// follower shows a run while it is running.
type follower struct {
	*env
	client *control.Client
	// quiet is true when the output of the run is not shown.
	quiet bool
	// shown removes from the output what the progress bar shows already.
	shown    statusFilter
	id       chan string // the run's id, as soon as it is known
	waitsFor string
}

// maxWaiting is how many events may wait here for standard output; the engine holds back events
// that a pager keeps waiting for longer.
const maxWaiting = 64

type received struct {
	api.Event
	err error
}

// follow submits a run, shows it until it has ended, and returns the ended run.
func (f *follower) follow(sub api.Submission) (api.Run, error) {
	f.id = make(chan string, 1)
	ctx, stop := context.WithCancel(f)
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go f.cancelOn(ctx, signals)

	// Events are still read while a line is shown.
	events := make(chan received, maxWaiting)
	go func() {
		defer close(events)
		for ev, err := range f.client.SubmitAndFollow(ctx, sub) {
			select {
			case events <- received{ev, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer f.done()
	defer func() { f.writeOut(f.shown.rest()) }()
	var run api.Run
	var missing int64
	for ev := range events {
		missing += ev.Dropped
		switch {
		case ev.err != nil && run.ID == "":
			return run, ev.err
		case ev.err != nil:
			return run, f.lost(run, ev.err)
		case ev.Kind == api.KindRun && ev.Run != nil:
			if run.ID == "" {
				f.id <- ev.Run.ID
			}
			f.waiting(*ev.Run)
			run = *ev.Run
		default:
			f.show(ev.Event)
		}
	}
	if missing > 0 && !f.quiet {
		f.warn("%s of output are missing above: they came faster than they could be shown", size(uint64(missing)))
	}
	return run, nil
}

// waiting shows what a run waits for, whenever that changes, unless the run only waits for its
// turn. A quiet follower shows only what a person has to do, because the run waits for ever without.
func (f *follower) waiting(run api.Run) {
	if run.State != api.Queued || f.quiet && !run.AwaitsPerson() || run.Reason == f.waitsFor {
		return
	}
	if f.waitsFor = run.Reason; run.Reason != "" {
		f.note("waiting: %s", clean(run.Reason))
	}
}

func (f *follower) show(ev api.Event) {
	switch ev.Kind {
	case api.KindOutput:
		if f.quiet {
			return
		}
		f.writeOut(f.shown.add(ev.Text))
	case api.KindProgress:
		if ev.Progress != nil && !f.quiet {
			f.progress(*ev.Progress)
		}
	}
}

// cancelOn cancels the run on the first signal and leaves the program on the second signal.
func (f *follower) cancelOn(ctx context.Context, signals <-chan os.Signal) {
	select {
	case <-signals:
	case <-ctx.Done():
		return
	}
	f.note("cancelling the run (Ctrl-C again leaves at once)")
	go func() {
		select {
		case id := <-f.id:
			_, err := f.client.Cancel(ctx, id)
			var refused *control.Error
			if errors.As(err, &refused) && refused.Code == control.CodeConflict {
				return // the run has just ended by itself, and follow sees that
			}
			if err != nil && ctx.Err() == nil {
				f.warn("the run can't be cancelled: %v", err)
			}
		case <-ctx.Done():
		}
	}()
	select {
	case <-signals:
		f.done()
		os.Exit(fault.Cancelled)
	case <-ctx.Done():
	}
}

// lost returns an error which says that the engine went away in the middle of a run.
func (f *follower) lost(run api.Run, err error) error {
	if !errors.Is(err, control.ErrLost) && !errors.Is(err, control.ErrNoEngine) {
		return err
	}
	// The next engine runs what had not begun, and may repeat what had: a retry could be a second run.
	then := "`blendtray runs show " + run.ID + "` then says what became of the run, and `blendtray retry " + run.ID + "` repeats it if the engine has not"
	switch {
	case run.GoesOn():
		then = "the render then goes on"
	case run.State == api.Queued:
		return fault.New(fault.NoEngine, "the run begins by itself when the engine starts again, as `blendtray serve` starts it",
			"the engine went away before run %s began", run.ID)
	case run.OnFarm():
		then = "the run then goes on"
	}
	return fault.New(fault.NoEngine, "start it again with `blendtray serve`; "+then, "the engine went away during run %s", run.ID)
}

// verdict returns an error with the exit code and a sentence on how the run ended, or nil when
// the run succeeded.
func (e *env) verdict(run api.Run) error {
	name := nameOf(run)
	if exited(run) {
		// Python shows no traceback for sys.exit, only the argument of the script.
		return fault.New(fault.Failed, "", "%s ended with sys.exit(%s)", name, oneLine(run.Error.Message))
	}
	if run.Error != nil && run.Error.Traceback != "" &&
		(run.State == api.Failed || run.State == api.Crashed || run.State == api.TimedOut) {
		e.writeErr(strings.TrimRight(run.Error.Traceback, "\n") + "\n")
	}
	switch run.State {
	case api.Succeeded:
		return nil
	case api.Failed:
		if run.Error == nil || run.Error.Traceback == "" {
			return fault.New(fault.Failed, "", "%s failed%s", name, because(run))
		}
		return fault.Quietly(fault.Failed)
	case api.TimedOut:
		limit, more := "", ""
		if run.Error != nil {
			// The text says what became of Blender when the run did not stop by itself.
			if _, after, ok := strings.Cut(run.Error.Message, "; "); ok {
				more = "; " + oneLine(after)
			}
		}
		if run.TimeLimitSeconds > 0 {
			limit = " of " + seconds(math.Round(run.TimeLimitSeconds*1000)/1000)
		}
		return fault.New(fault.TimedOut, "--timeout sets another limit", "%s was over its time limit%s%s", name, limit, more)
	case api.Crashed:
		if run.OnFarm() {
			return fault.New(fault.Crashed, "`blendtray farm status` has the job with the machine that executed it", "%s%s", name, because(run))
		}
		if run.InOpenBlender() {
			return fault.New(fault.Crashed, "the terminal from which that Blender was started may say why", "%s%s", name, because(run))
		}
		return fault.New(fault.Crashed, "a new Blender is being started; `blendtray log` has the last words of the old one",
			"%s%s", name, because(run))
	case api.Cancelled:
		return fault.New(fault.Cancelled, "", "%s was cancelled%s", name, because(run))
	default:
		return fault.New(fault.NoEngine, "`blendtray retry "+run.ID+"` repeats it", "%s was interrupted%s", name, because(run))
	}
}

// exitAs returns an error without words that has the exit code for a state, or nil for success.
func exitAs(state api.State) error {
	code, ok := map[api.State]int{
		api.Succeeded: fault.OK,
		api.Failed:    fault.Failed,
		api.TimedOut:  fault.TimedOut,
		api.Crashed:   fault.Crashed,
		api.Cancelled: fault.Cancelled,
	}[state]
	switch {
	case !ok:
		return fault.Quietly(fault.NoEngine)
	case code == fault.OK:
		return nil
	}
	return fault.Quietly(code)
}

// exited reports whether a script failed by calling sys.exit.
func exited(run api.Run) bool {
	return run.State == api.Failed && run.Error != nil && run.Error.Type == "SystemExit"
}

// because returns the reason for a run's end, to be put after a sentence, or "".
func because(run api.Run) string {
	if run.Error != nil {
		line := ""
		if run.Error.Line > 0 {
			line = fmt.Sprintf(" (line %d)", run.Error.Line)
		}
		text := run.Error.Type
		switch {
		case run.Error.Message == "":
		case text == "" || text == "Crash" || text == "TimeLimit" || text == api.Refused || run.State == api.Cancelled:
			// The script knows of no exception.
			text = run.Error.Message
		default:
			text += ": " + run.Error.Message
		}
		return ": " + oneLine(strings.TrimSpace(text)) + line
	}
	if run.Reason != "" {
		return ": " + oneLine(run.Reason)
	}
	return ""
}

// nameOf returns the name of a run's script for a sentence.
func nameOf(run api.Run) string {
	if filepath.IsAbs(run.Script) {
		return api.NameInLine(filepath.Base(run.Script))
	}
	return api.NameInLine(run.Script)
}
