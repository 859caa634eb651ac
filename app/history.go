package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/control"
)

// runFilter are the flags that choose runs.
type runFilter struct {
	State  []string   `placeholder:"STATE" sep:"none" help:"Only runs in this state: queued, running, succeeded, failed, cancelled, timed-out, crashed or interrupted. May be given more than once."`
	Name   filterText `placeholder:"TEXT" help:"Only runs of scripts with this in their path."`
	Script filterText `placeholder:"FILE" help:"Only runs of this script: its path, or a name such as \"<command line>\"."`
	Folder filterText `placeholder:"DIR" help:"Only runs of scripts that were saved in this watched folder."`
	Client filterText `placeholder:"NAME" help:"Only runs that this program has asked for, as \"runs --json\" names it."`
	Since  filterText `placeholder:"TIME" help:"Only runs that were queued from then on: 2h or 3d ago, 2026-01-31, or \"2026-01-31 15:04\"."`
	Until  filterText `placeholder:"TIME" help:"Only runs that were queued before then."`
	Pinned bool       `help:"Only runs that are pinned."`
}

// filterText is the value of a flag that chooses runs. It is not empty: a script that is started with
// an empty variable would choose all runs, and "runs clear" would delete them.
type filterText string

// UnmarshalText takes a value from the command line, and refuses an empty one.
func (t *filterText) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it has no value; leave the flag out to choose runs whatever it is")
	}
	*t = filterText(text)
	return nil
}

// filter returns what the flags say. It fails when one of them makes no sense.
func (c *runFilter) filter(now time.Time) (f api.Filter, err error) {
	f = api.Filter{Name: string(c.Name), Client: string(c.Client), Pinned: c.Pinned}
	for _, s := range c.State {
		state, ok := stateNamed(s)
		if !ok {
			return f, fault.New(fault.Usage, "the states are "+allStates(), "there is no state %q", s)
		}
		f.States = append(f.States, state)
	}
	if f.Script = string(c.Script); f.Script != "" && !strings.HasPrefix(f.Script, "<") {
		if f.Script, err = filepath.Abs(f.Script); err != nil {
			return f, err
		}
	}
	if c.Folder != "" {
		if f.Folder, err = filepath.Abs(string(c.Folder)); err != nil {
			return f, err
		}
	}
	if f.Since, err = momentOf("--since", string(c.Since), now); err != nil {
		return f, err
	}
	f.Until, err = momentOf("--until", string(c.Until), now)
	return f, err
}

// momentOf returns the time that a person means: so long ago, a day in local time, or a time of a day.
// It returns no time for "", and fails for what is no time.
func momentOf(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Usage, "", "%s: %q is no time: 2h or 3d ago, 2026-01-31, or \"2026-01-31 15:04\"", flag, text)
}

type runsScriptsCmd struct {
	Number int `name:"number" short:"n" default:"20" placeholder:"N" help:"How many scripts at most (default: 20)."`
	Last   int `default:"10" placeholder:"N" help:"How many of the last runs of each script are shown, up to 50 (default: 10)."`
	runFilter
	JSON bool `name:"json" help:"Print JSON."`
}

func (runsScriptsCmd) Help() string {
	return `Lists the scripts that ran, the one that ran last first. LAST shows how the last runs ended, the newest at the right: "." succeeded, "x" failed, "c" cancelled or interrupted, "t" over its time limit, "!" crashed, "~" running, "-" queued.`
}

func (c *runsScriptsCmd) Run(e *env) error {
	if c.Number < 1 || c.Number > maxRuns || c.Last < 1 || c.Last > 50 {
		return fault.New(fault.Usage, "", "-n is a number from 1 to %d, and --last from 1 to 50", maxRuns)
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
	scripts, err := client.Scripts(e, f, c.Last)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(scripts)
	}
	if len(scripts) == 0 {
		e.note("there are no such runs")
		return nil
	}
	t := &table{heading: []string{"RUNS", "LAST", "WHEN", "SCRIPT"}}
	for _, s := range scripts {
		newest := s.Last[0]
		t.add(cell{text: strconv.Itoa(s.Runs)}, cell{strip(s.Last), styleOf(string(newest.Shown()))},
			cell{text: moment(newest.QueuedAt, time.Now())}, cell{text: api.NameInLine(s.Script)})
	}
	e.printTable(t)
	return nil
}

// strip returns a sign for each run, the oldest first.
func strip(last []api.Verdict) string {
	signs := map[api.State]byte{
		api.Queued: '-', api.Running: '~', api.Succeeded: '.', api.Failed: 'x', api.Cancelled: 'c',
		api.Interrupted: 'c', api.TimedOut: 't', api.Crashed: '!',
	}
	text := make([]byte, len(last))
	for i, v := range last {
		text[len(last)-1-i] = signs[v.Shown()]
	}
	return string(text)
}

type runsPinCmd struct {
	ID string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
}

func (runsPinCmd) Help() string {
	return `A run that is pinned stays in the history when runs.history is full, and when "runs clear" deletes the others.`
}

func (c *runsPinCmd) Run(e *env) error {
	return e.runDoes(c.ID, (*control.Client).Pin, "run %s of %s is pinned\n")
}

type runsUnpinCmd struct {
	ID string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
}

func (runsUnpinCmd) Help() string {
	return `The history deletes the run with other runs of its age when runs.history is full.`
}

func (c *runsUnpinCmd) Run(e *env) error {
	return e.runDoes(c.ID, (*control.Client).Unpin, "run %s of %s is not pinned any more\n")
}

type runsDeleteCmd struct {
	ID string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
}

func (runsDeleteCmd) Help() string {
	return `Deletes a run with its output and its preview, also one that is pinned. Files that the run has made stay.`
}

func (c *runsDeleteCmd) Run(e *env) error {
	client, err := e.client()
	if err == nil {
		err = client.DeleteRun(e, c.ID)
	}
	if err == nil {
		e.printf("run %s is deleted\n", clean(c.ID))
	}
	return err
}

type runsClearCmd struct {
	runFilter
	All  bool `help:"All runs; without it at least one of the flags above chooses runs."`
	JSON bool `name:"json" help:"Print how many were deleted, as JSON."`
}

func (runsClearCmd) Help() string {
	return `Deletes runs with their output and their previews, but those that wait, are running or are pinned. Files that the runs have made stay.

    blendtray runs clear --state cancelled
    blendtray runs clear --until 30d
    blendtray runs clear --all`
}

func (c *runsClearCmd) Run(e *env) error {
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	if f.All() != c.All {
		return fault.New(fault.Usage, "`blendtray runs clear --help` has examples", "say which runs are deleted: by flags, or by --all alone")
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	n, err := client.ClearRuns(e, f)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return e.printJSON(struct {
			Deleted int `json:"deleted"`
		}{n})
	}
	e.printf("%s\n", map[bool]string{true: "1 run is deleted", false: fmt.Sprintf("%d runs are deleted", n)}[n == 1])
	return nil
}
