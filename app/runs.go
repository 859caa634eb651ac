package app

import (
	"fmt"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/control"
)

type runsCmd struct {
	List runsListCmd `cmd:"" default:"withargs" hidden:""`
	Show runsShowCmd `cmd:"" help:"Show one run: its output, its error, what it made."`

	Scripts runsScriptsCmd `cmd:"" help:"List the scripts that ran, each with how its last runs ended."`
	Pin     runsPinCmd     `cmd:"" help:"Keep a run, however old it gets."`
	Unpin   runsUnpinCmd   `cmd:"" help:"End that a run is kept."`
	Delete  runsDeleteCmd  `cmd:"" help:"Delete a run that has ended."`
	Clear   runsClearCmd   `cmd:"" help:"Delete runs that have ended, but those that are pinned."`
	Code    runsCodeCmd    `cmd:"" help:"Print the code of a run: the bytes that ran."`
	Changes runsChangesCmd `cmd:"" help:"Show how the code of a run differs from the run before of the same script."`
}

type runsListCmd struct {
	Number int `name:"number" short:"n" default:"20" placeholder:"N" help:"How many at most (default: 20)."`
	runFilter
	JSON bool `name:"json" help:"Print JSON."`
}

func (runsListCmd) Help() string {
	return `Lists the runs that are kept, newest first. In JSON it is an array, without the output of the runs; "runs show ID" has that.

    blendtray runs --state failed --state crashed
    blendtray runs --folder . --since 2h
    blendtray runs scripts
    blendtray runs show ID`
}

// maxRuns is how many runs the engine lists at once.
const maxRuns = 1000

func (c *runsListCmd) Run(e *env) error {
	if c.Number < 1 || c.Number > maxRuns {
		return fault.New(fault.Usage, "", "-n is a number from 1 to %d", maxRuns)
	}
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	f.Limit = c.Number
	client, err := e.client()
	if err != nil {
		return err
	}
	runs, err := client.Runs(e, f)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(runs)
	}
	if len(runs) == 0 {
		e.note("there are no such runs")
		return nil
	}
	e.printRuns(runs, time.Now())
	return nil
}

func stateNamed(name string) (api.State, bool) {
	for _, s := range api.States() {
		if string(s) == strings.ToLower(name) {
			return s, true
		}
	}
	return "", false
}

func allStates() string {
	var names []string
	for _, s := range api.States() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// stateWord returns the word for the state of a run that a person reads. A run that no machine of the farm
// has begun is not running yet, though it has left the queue of the engine.
func stateWord(r api.Run) string {
	if r.AwaitsMachine() {
		return "waiting"
	}
	return string(r.State)
}

func (e *env) printRuns(runs []api.Run, now time.Time) {
	t := &table{heading: []string{"ID", "STATE", "QUEUED", "TIME", "SCRIPT"}}
	for _, r := range runs {
		took := ""
		if r.HasTaken() {
			took = seconds(r.Seconds)
		}
		renders := ""
		if r.Render != nil {
			renders = " (" + r.Render.String() + ")"
		}
		script := oneLine(api.NameInLine(r.Script) + renders)
		if r.State != api.Succeeded {
			script = oneLine(nameOf(r) + renders + where(r) + because(r))
		}
		if r.Pinned {
			script += " (pinned)"
		}
		state := stateWord(r)
		t.add(cell{text: r.ID}, cell{state, styleOf(state)},
			cell{text: moment(r.QueuedAt, now)}, cell{text: took}, cell{text: script})
	}
	e.printTable(t)
}

type runsShowCmd struct {
	ID   string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (runsShowCmd) Help() string {
	return `Shows what is known of one run: its script, its times, what it printed, its result, the files it made, and its traceback.`
}

func (c *runsShowCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	run, err := client.Run(e, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(run)
	}
	e.writeOut(showRun(run, time.Now(), e.colorOut))
	return nil
}

// showRun returns the text of a whole run for a person: facts first, then the output.
func showRun(r api.Run, now time.Time, color bool) string {
	var b strings.Builder
	fact := func(name, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if text != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, text)
		}
	}
	state := stateWord(r)
	state = paint(color, styleOf(state), state)
	if r.Reason != "" {
		state += ": " + oneLine(r.Reason)
	}
	fact("run", "%s", r.ID)
	fact("state", "%s", state)
	fact("script", "%s", api.NameInLine(r.Script))
	fact("session", "%s", r.Session)
	if r.Render != nil {
		fact("renders", "%s", r.Render)
		fact("engine", "%s", oneLine(r.Render.Engine))
		fact("output", "%s", api.NameInLine(r.Render.Output))
		fact("format", "%s", oneLine(r.Render.Format))
	}
	fact("args", "%s", strings.Join(quoted(r.Args), " "))
	fact("scene", "%s", api.NameInLine(r.Scene))
	fact("queued", "%s", moment(r.QueuedAt, now))
	if r.StartedAt != nil {
		fact("started", "%s", moment(*r.StartedAt, now))
	}
	if r.HasTaken() {
		fact("took", "%s", seconds(r.Seconds))
	}
	if r.Progress != nil {
		fact("progress", "%s", bar(*r.Progress, 0))
	}
	fact("where", "%s", strings.Trim(where(r), " ()"))
	fact("session", "%s", oneLine(r.Session))
	if r.TimeLimitSeconds > 0 {
		fact("limit", "%s", seconds(r.TimeLimitSeconds))
	}
	fact("blender", "%s", clean(r.ExecutedBy()))
	fact("retry of", "%s", r.RetryOf)
	if r.Pinned {
		fact("kept", "it is pinned")
	}
	if len(r.Result) > 0 && string(r.Result) != "null" {
		fact("result", "%s", clean(string(r.Result)))
	}
	for _, o := range r.Outputs {
		fact("made", "%s", api.NameInLine(o))
	}
	if r.Error != nil {
		fact("error", "%s", strings.TrimPrefix(because(r), ": "))
	}
	section := func(text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(clean(text), "\n"))
		}
	}
	section(r.Output)
	if r.Error != nil {
		section(r.Error.Traceback)
	}
	return b.String()
}

func quoted(args []string) []string {
	var out []string
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`") {
			a = fmt.Sprintf("%q", a)
		}
		out = append(out, clean(a))
	}
	return out
}

type cancelCmd struct {
	ID string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
}

func (cancelCmd) Help() string {
	return `A run that waits is taken from the queue. A run that is running gets an exception in its Python code; code that does not heed the exception is ended a little later, with its Blender. A run that has ended can't be cancelled: exit code 1.`
}

func (c *cancelCmd) Run(e *env) error {
	return e.runDoes(c.ID, (*control.Client).Cancel, "run %s of %s is cancelled\n")
}

type retryCmd struct {
	ID    string `arg:"" optional:"" help:"The run's id, as \"blendtray runs\" lists it."`
	Stale bool   `help:"Instead, run the scripts again that wait because modules that they import have changed (on_helper = \"ask\"); \"blendtray status\" names them."`
}

func (retryCmd) Help() string {
	return `Makes a new run of the same code, with the same arguments and scene: the bytes that ran then, not what the script holds now. The command does not wait for the end of the run.`
}

func (c *retryCmd) Run(e *env) error {
	switch {
	case c.Stale == (c.ID != ""):
		return fault.New(fault.Usage, "`blendtray runs` lists the runs", "give the id of a run, or --stale")
	case c.Stale:
		return e.retryStale()
	}
	return e.runDoes(c.ID, (*control.Client).Retry, "run %s of %s is queued\n")
}

// retryStale has the engine run the scripts again that wait because their modules have changed.
func (e *env) retryStale() error {
	client, err := e.client()
	if err != nil {
		return err
	}
	runs, err := client.RunStale(e)
	for _, run := range runs {
		e.printf("run %s of %s is queued\n", run.ID, nameOf(run))
	}
	if err == nil && len(runs) == 0 {
		e.note("no script waits because a module has changed")
	}
	return err
}
