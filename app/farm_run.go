package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/farm"
)

// placeFlags say which machine may take a job, and when.
type placeFlags struct {
	Blender  string     `placeholder:"VERSION" help:"A machine whose engine has this Blender: a version such as 4.5, or a name of its settings."`
	GPU      bool       `name:"gpu" help:"A machine with a graphics card."`
	Memory   *api.Bytes `placeholder:"SIZE" help:"A machine with so much free memory, such as 16GB."`
	Machine  []string   `placeholder:"NAME" sep:"," help:"Only this machine; several have commas between them."`
	Label    []string   `placeholder:"WORD" sep:"," help:"A machine with this label in its settings (farm.labels)."`
	Priority string     `enum:"high,normal,low" default:"normal" placeholder:"WORD" help:"high, normal or low (default: normal)."`
	Timeout  *timeLimit `placeholder:"TIME" help:"End it after this time, such as 30m. Default: as the settings of its machine say."`
	Detach   bool       `short:"d" help:"Do not wait for the end; print the id."`
	JSON     bool       `name:"json" help:"Print JSON, and nothing else."`
}

// farmFlags are the flags of a job that runs a script.
type farmFlags struct {
	placeFlags
	Repeatable bool `help:"Let another machine begin it again when its machine dies meanwhile. Without this, it is then reported as interrupted."`
}

// job returns a job with what the flags say.
func (c farmFlags) job() farm.Job {
	j := c.placeFlags.job()
	j.Repeatable = c.Repeatable
	return j
}

// job returns a job with what the flags say.
func (c placeFlags) job() farm.Job {
	j := farm.Job{
		Kind: farm.KindScript, Scene: "fresh", Priority: farm.Priority(c.Priority), TimeLimitSeconds: c.Timeout.seconds(),
		Needs: farm.Needs{Blender: c.Blender, GPU: c.GPU, Machines: c.Machine, Labels: c.Label},
	}
	if c.Memory != nil {
		j.Needs.Memory = int64(*c.Memory)
	}
	return j
}

type farmRunCmd struct {
	File string  `arg:"" optional:"" help:"The script, or - to read it from standard input."`
	Code *string `short:"c" placeholder:"CODE" help:"Run this Python code instead of a file."`
	cargoFlags
	Key string `placeholder:"TEXT" help:"Your own name for the job. A second command with it makes no second job, and follows the first."`
	farmFlags
}

func (farmRunCmd) Help() string {
	return `Some machine of the farm that is free and has what the flags ask for runs the script, in a factory scene, with nothing that another run has left. What the script prints appears here. Ctrl-C cancels the job; a second one leaves at once.

    blendtray farm run bake.py -- --size 2048
    blendtray farm run export.py --blender 4.5 --memory 8GB --repeatable

The Python files and the packages beside the script go along; --with names other files below its folder, which the script finds beside itself. What else it opens must be on each machine. With --to, the files that the run makes come back. The job is signed by this machine's key, and the machines run nothing else.

` + exitCodes
}

func (c *farmRunCmd) Run(e *env) error {
	job := c.job()
	var err error
	if job.Code, job.Name, err = farmScript(e, c.File, c.Code); err != nil {
		return err
	}
	job.Args = append([]string{}, e.scriptArgs...)
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.pack(e, client, &job, c.File); err != nil {
		return err
	}
	ctx, stop := e.asking()
	defer stop()
	if job, err = client.Submit(ctx, job, c.Key); err != nil {
		return farmError(err)
	}
	if c.Detach {
		return e.printJobs([]farm.Job{job}, c.JSON)
	}
	return c.follow(e, client, []farm.Job{job}, c.JSON)
}

// farmScript returns a script that is given as a file, on standard input or in the command line, with its name.
func farmScript(e *env, file string, code *string) (text []byte, name string, err error) {
	switch {
	case code != nil && file != "":
		return nil, "", fault.New(fault.Usage, "arguments for the script follow --", "both a file and -c were given")
	case code != nil:
		return []byte(*code), "<command line>", nil
	case file == "":
		return nil, "", fault.New(fault.Usage, "`blendtray farm run --help` has examples", "there is nothing to run: give a file, -, or -c CODE")
	case file == "-":
		if text, err = io.ReadAll(io.LimitReader(e.stdin, farm.MaxCode+1)); err != nil {
			return nil, "", fmt.Errorf("read the script from standard input: %w", err)
		}
		return text, "<stdin>", nil
	}
	if name, err = filepath.Abs(file); err != nil {
		return nil, "", err
	}
	text, err = readScript(name)
	return text, filepath.Base(name), err
}

type farmMapCmd struct {
	File string `arg:"" help:"The script."`
	Each string `required:"" placeholder:"LIST" help:"A file with a line for each job, or - for standard input. Each line becomes the last argument of one run."`
	cargoFlags
	farmFlags
}

func (farmMapCmd) Help() string {
	return `Runs the script once for each line of the list, on as many machines as are free. The line is the last argument of the run, after those that follow --. Empty lines are left out.

    ls *.obj | blendtray farm map convert.py --each - --repeatable -- --format glb
    blendtray farm map variant.py --each seeds.txt --json

The exit code is 0 when all jobs have succeeded, and 1 otherwise. Ctrl-C cancels those that are not over; a second one leaves at once.`
}

func (c *farmMapCmd) Run(e *env) error {
	lines, err := c.lines(e)
	if err != nil {
		return err
	}
	job := c.job()
	if job.Code, job.Name, err = farmScript(e, c.File, nil); err != nil {
		return err
	}
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.pack(e, client, &job, c.File); err != nil {
		return err
	}
	var jobs []farm.Job
	for _, line := range lines {
		one := job
		one.Args = append(append([]string{}, e.scriptArgs...), line)
		jobs = append(jobs, one)
	}
	made, err := client.SubmitAll(e, jobs)
	if err != nil {
		if len(made) > 0 {
			e.warn("%d of %d jobs were submitted; `blendtray farm cancel %s` cancels them", len(made), len(jobs), made[0].Group)
		}
		return farmError(err)
	}
	if c.Detach {
		return e.printJobs(made, c.JSON)
	}
	return c.follow(e, client, made, c.JSON)
}

// maxList bounds a list of jobs, in bytes, and maxMapped in lines.
const (
	maxList   = 16 << 20
	maxMapped = 100_000
)

func (c *farmMapCmd) lines(e *env) ([]string, error) {
	from := io.Reader(e.stdin)
	if c.Each != "-" {
		file, err := os.Open(c.Each)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "read the list: %w", err)
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxList+1))
	if err != nil || len(text) > maxList {
		return nil, fault.New(fault.Usage, "", "the list can't be read, or has more than %s: %v", size(maxList), err)
	}
	var lines []string
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		if line := strings.TrimSpace(scan.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 || len(lines) > maxMapped {
		return nil, fault.New(fault.Usage, "", "the list has %d lines; it may have 1 to %d", len(lines), maxMapped)
	}
	return lines, nil
}

// printJobs prints the ids of jobs that nobody waits for.
func (e *env) printJobs(jobs []farm.Job, asJSON bool) error {
	if asJSON {
		all := []farm.JobStatus{}
		for _, job := range jobs {
			all = append(all, farm.StatusOf(job))
		}
		if len(all) == 1 && all[0].Group == "" {
			return e.printJSON(all[0])
		}
		return e.printJSON(all)
	}
	if len(jobs) > 0 && jobs[0].Group != "" {
		e.printf("%s\n", jobs[0].Group)
		return nil
	}
	for _, job := range jobs {
		e.printf("%s\n", job.ID)
	}
	return nil
}

// jobFollower shows jobs while they go on.
type jobFollower struct {
	*env
	jobs     []farm.Job
	at       map[string]int
	status   []farm.JobStatus
	results  map[string]farm.Result
	printed  int64 // how many bytes of the output of a single job were shown
	quiet    bool
	reported string
	// arrived, unless it is nil, is called with each result.
	arrived func(farm.Job, farm.Result)
}

// followJobs shows jobs until they have ended, and returns the exit code as an error.
func (e *env) followJobs(client *farm.Client, jobs []farm.Job, asJSON bool) error {
	f := e.newFollower(jobs, asJSON)
	if err := f.follow(client); err != nil {
		return err
	}
	return f.conclude(asJSON)
}

// newFollower returns a follower of jobs, which shows nothing when it is quiet.
func (e *env) newFollower(jobs []farm.Job, quiet bool) *jobFollower {
	f := &jobFollower{env: e, jobs: jobs, at: map[string]int{}, results: map[string]farm.Result{}, quiet: quiet}
	for i, job := range jobs {
		f.at[job.ID] = i
		f.status = append(f.status, farm.StatusOf(job))
	}
	return f
}

// follow shows the jobs until they have ended.
func (f *jobFollower) follow(client *farm.Client) error {
	var ids []string
	for _, job := range f.jobs {
		ids = append(ids, job.ID)
	}
	ctx, stop := context.WithCancel(f)
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go f.cancelOn(ctx, client, signals)
	err := client.Follow(ctx, ids, f.take)
	f.done()
	if err != nil {
		return farmError(fmt.Errorf("follow the job: %w", err))
	}
	return nil
}

// cancelOn cancels what is not over when a signal comes, and ends the program at the second.
func (f *jobFollower) cancelOn(ctx context.Context, client *farm.Client, signals <-chan os.Signal) {
	select {
	case <-signals:
	case <-ctx.Done():
		return
	}
	f.note("cancelling (Ctrl-C again leaves at once)")
	go func() {
		<-signals
		os.Exit(fault.Cancelled)
	}()
	for _, job := range f.jobs {
		if err := client.Cancel(ctx, job.ID); err != nil && !errors.Is(err, farm.ErrEnded) && ctx.Err() == nil {
			f.warn("%s: %v", job.ID, err)
		}
	}
}

// take takes in what is new about a job. It returns false when all jobs are over.
func (f *jobFollower) take(u farm.Update) bool {
	i, ok := f.at[u.Job]
	if !ok {
		return true
	}
	s := &f.status[i]
	switch {
	case u.Result != nil:
		if _, known := f.results[u.Job]; !known {
			f.results[u.Job] = *u.Result
			s.Add(*u.Result)
			f.ended(*s, *u.Result)
			if f.arrived != nil {
				f.arrived(f.jobs[i], *u.Result)
			}
		}
	case u.Claim != nil:
		if _, known := f.results[u.Job]; !known {
			s.Apply(*u.Claim)
			f.began(*s)
		}
	case u.Event != nil:
		f.event(*u.Event)
	}
	over := 0
	for _, s := range f.status {
		if s.State.Final() {
			_, known := f.results[s.ID]
			if known || s.State == farm.StateInterrupted {
				over++
			}
		}
	}
	if len(f.jobs) > 1 && !f.quiet {
		f.progress(api.Progress{Fraction: float64(over) / float64(len(f.jobs)), Text: fmt.Sprintf("%d of %d jobs", over, len(f.jobs))})
	}
	return over < len(f.jobs)
}

// began says which machine has a single job.
func (f *jobFollower) began(s farm.JobStatus) {
	if f.quiet || len(f.jobs) > 1 || s.Machine == f.reported || s.State != farm.StateRunning {
		return
	}
	f.reported = s.Machine
	f.note("job %s runs on %s", s.ID, s.Machine)
}

// event shows what a single job says.
func (f *jobFollower) event(ev api.Event) {
	switch {
	case f.quiet:
	case ev.Kind == api.KindOutput && ev.From == f.printed: // else the result has what is missing
		f.printed += int64(len(ev.Text))
		f.writeOut(ev.Text)
	case ev.Kind == api.KindProgress && ev.Progress != nil:
		f.progress(*ev.Progress)
	}
}

// ended shows the end of a job.
func (f *jobFollower) ended(s farm.JobStatus, r farm.Result) {
	if f.quiet {
		return
	}
	if len(f.jobs) == 1 {
		if r.Run != nil && int64(len(r.Run.Output)) > f.printed {
			f.writeOut(r.Run.Output[f.printed:])
		}
		return
	}
	if s.State != farm.StateSucceeded {
		f.writeErr(jobEnded(s))
	}
}

// jobEnded says that a job of several has not succeeded: which frames or arguments it has, where and why.
func jobEnded(s farm.JobStatus) string {
	of, on := strings.Join(s.Args, " "), ""
	if s.Frames != "" {
		of = "frames " + s.Frames
	}
	if of != "" {
		of = " (" + oneLine(of) + ")"
	}
	if s.Machine != "" {
		on = " on " + oneLine(s.Machine)
	}
	return fmt.Sprintf("blendtray: job %s%s is %s%s: %s\n", s.ID, of, s.State, on, oneLine(s.Reason))
}

// conclude says how the jobs ended.
func (f *jobFollower) conclude(asJSON bool) error {
	if len(f.jobs) == 1 && f.jobs[0].Group == "" {
		s := f.status[0]
		r, ok := f.results[s.ID]
		if asJSON {
			var err error
			if ok {
				err = f.printJSON(r)
			} else {
				err = f.printJSON(s)
			}
			return errors.Join(err, exitOfJob(s.State))
		}
		if ok && r.Run != nil && r.State == farm.State(r.Run.State) {
			return f.verdict(*r.Run)
		}
		if s.State == farm.StateSucceeded {
			return nil
		}
		return fault.New(codeOfJob(s.State), "`blendtray farm status "+s.ID+"` shows it, `blendtray farm retry` repeats it", "job %s is %s: %s", s.ID, s.State, s.Reason)
	}
	count := map[farm.State]int{}
	for _, s := range f.status {
		count[s.State]++
	}
	bad := len(f.jobs) - count[farm.StateSucceeded]
	if asJSON {
		if err := f.printJSON(f.status); err != nil {
			return err
		}
	} else {
		f.note("%s", counted(count))
	}
	if bad > 0 {
		return fault.Quietly(fault.Failed)
	}
	return nil
}

// codeOfJob returns the exit code for the end of a job.
func codeOfJob(state farm.State) int {
	switch state {
	case farm.StateSucceeded:
		return fault.OK
	case farm.StateTimedOut:
		return fault.TimedOut
	case farm.StateCrashed:
		return fault.Crashed
	case farm.StateCancelled:
		return fault.Cancelled
	}
	return fault.Failed
}

func exitOfJob(state farm.State) error {
	if code := codeOfJob(state); code != fault.OK {
		return fault.Quietly(code)
	}
	return nil
}

// counted says how many jobs are in which state.
func counted(count map[farm.State]int) string {
	var all []string
	for _, state := range farm.States() {
		if n := count[state]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(all, ", ")
}
