package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/farm"
)

type farmStatusCmd struct {
	ID     string `arg:"" optional:"" help:"A job or a group; without it, the newest jobs are listed."`
	Number int    `name:"number" short:"n" default:"20" placeholder:"N" help:"How many at most (default: 20)."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// maxJobs is how many of the newest jobs are looked through for a list. The jobs of a group are all looked for.
const maxJobs = 20_000

func (c *farmStatusCmd) Run(e *env) error {
	if c.Number < 1 || c.Number > maxMapped {
		return fault.New(fault.Usage, "", "-n is a number from 1 to %d", maxMapped)
	}
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := e.asking()
	defer stop()
	if c.ID != "" {
		if s, r, err := client.Show(ctx, c.ID); err == nil {
			return c.show(e, s, r)
		} else if !errors.Is(err, farm.ErrNoJob) {
			return farmError(err)
		}
	}
	var all []farm.JobStatus
	if c.ID != "" {
		all, err = client.Group(e, c.ID)
	} else {
		all, err = client.Jobs(ctx, max(maxJobs, c.Number))
	}
	if err != nil {
		return farmError(err)
	}
	count := map[farm.State]int{}
	for _, s := range all {
		count[s.State]++
	}
	listed := all[:min(len(all), c.Number)]
	if c.JSON {
		return e.printJSON(listed)
	}
	if len(all) == 0 {
		e.note("the farm has no jobs")
		return nil
	}
	t := &table{heading: []string{"ID", "SUBMITTED", "BY", "STATE", "MACHINE", "TOOK", "JOB"}}
	for _, s := range listed {
		took := ""
		if s.Seconds > 0 {
			took = seconds(s.Seconds)
		}
		t.add(cell{text: s.ID}, cell{text: moment(s.At, time.Now())}, cell{text: oneLine(s.By)}, cell{string(s.State), styleOf(string(s.State))},
			cell{text: oneLine(s.Machine)}, cell{text: took}, cell{text: jobLine(s)})
	}
	e.printTable(t)
	e.note("%s", counted(count))
	return nil
}

// jobLine says in a line what a job is.
func jobLine(s farm.JobStatus) string {
	text := api.NameInLine(s.Name)
	if s.Frames != "" {
		text += " " + s.Frames
	}
	if len(s.Args) > 0 {
		text += " " + strings.Join(s.Args, " ")
	}
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	return oneLine(text)
}

func (c *farmStatusCmd) show(e *env, s farm.JobStatus, r *farm.Result) error {
	if c.JSON {
		return e.printJSON(struct {
			farm.JobStatus
			Result *farm.Result `json:"result"`
		}{s, r})
	}
	e.printf("job %s: %s, %s\n", s.ID, jobLine(s), s.State)
	e.printf("submitted by %s at %s\n", clean(s.By), moment(s.At, time.Now()))
	if needs := s.Needs.String(); needs != "" {
		e.printf("needs %s\n", clean(needs))
	}
	if s.Machine != "" {
		e.printf("on %s, run %s there\n", clean(s.Machine), s.Run)
	}
	for _, t := range s.Tries {
		e.printf("tried on %s at %s: %s\n", clean(t.Machine), moment(t.At, time.Now()), oneLine(t.Reason))
		if t.Log != "" {
			e.writeOut(t.Log)
		}
	}
	if r != nil && r.Run != nil {
		e.writeOut(r.Run.Output)
	}
	return nil
}

type farmWorkersCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *farmWorkersCmd) Run(e *env) error {
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := e.asking()
	defer stop()
	machines, err := client.Machines(ctx)
	if err != nil {
		return farmError(err)
	}
	if c.JSON {
		return e.printJSON(machines)
	}
	if len(machines) == 0 {
		e.note("no machine has worked yet: an engine must be running on a machine that has joined")
		return nil
	}
	t := &table{heading: []string{"MACHINE", "STATE", "JOBS", "CORES", "FREE", "BLENDER", "LABELS"}}
	for _, m := range machines {
		t.add(cell{text: m.Name}, cell{text: m.State}, cell{text: fmt.Sprintf("%d of %d", len(m.Jobs), m.Slots)}, cell{text: fmt.Sprint(m.Cores)},
			cell{text: size(m.Free)}, cell{text: oneLine(strings.Join(m.Blenders, " "))}, cell{text: oneLine(strings.Join(m.Labels, " "))})
	}
	e.printTable(t)
	for _, m := range machines {
		if text := clockText(time.Duration(m.AheadSeconds * float64(time.Second))); text != "" {
			e.warn("the clock of %s is %s the clock of the server", clean(m.Name), text)
		}
	}
	return nil
}

// clockMatters is how far a clock may be from the clock of the server before a person is told: the certificates
// and the jobs of a farm have times until which they hold.
const clockMatters = 30 * time.Second

// clockText says how far a clock is ahead, or "" where that does not matter.
func clockText(ahead time.Duration) string {
	switch {
	case ahead >= clockMatters:
		return seconds(ahead.Round(time.Second).Seconds()) + " ahead of"
	case ahead <= -clockMatters:
		return seconds((-ahead).Round(time.Second).Seconds()) + " behind"
	}
	return ""
}

type farmCancelCmd struct {
	ID   string `arg:"" help:"The id of a job or of a group."`
	JSON bool   `name:"json" help:"Print the ids that were cancelled as JSON."`
}

func (c *farmCancelCmd) Run(e *env) error {
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := e.asking()
	defer stop()
	ids := []string{c.ID}
	err = client.Cancel(ctx, c.ID)
	if errors.Is(err, farm.ErrNoJob) {
		ids, err = cancelGroup(e, client, c.ID)
	}
	if err != nil {
		return farmError(err)
	}
	if c.JSON {
		return e.printJSON(ids)
	}
	for _, id := range ids {
		e.printf("job %s is cancelled\n", id)
	}
	return nil
}

// cancelGroup cancels the jobs of a group that are not over, and returns their ids.
func cancelGroup(ctx context.Context, client *farm.Client, group string) ([]string, error) {
	ended, err := client.CancelGroup(ctx, group)
	ids := []string{}
	for _, s := range ended {
		ids = append(ids, s.ID)
	}
	return ids, err
}

type farmRetryCmd struct {
	ID   string `arg:"" help:"The id of a job."`
	JSON bool   `name:"json" help:"Print the new job as JSON."`
}

func (c *farmRetryCmd) Run(e *env) error {
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := e.asking()
	defer stop()
	job, err := client.Retry(ctx, c.ID)
	if err != nil {
		return farmError(err)
	}
	return e.printJobs([]farm.Job{job}, c.JSON)
}

type farmDrainCmd struct {
	Name string `arg:"" help:"The name of the machine, as \"blendtray farm workers\" lists it."`
	Undo bool   `help:"Let it take jobs again."`
	JSON bool   `name:"json" help:"Print the machine as JSON."`
}

func (farmDrainCmd) Help() string {
	return `The machine ends what it has and takes no more jobs, until --undo. Only an administrator may do that; the settings of the machine itself (farm.work) do the same there.`
}

func (c *farmDrainCmd) Run(e *env) error {
	client, err := e.farm()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := e.asking()
	defer stop()
	m, err := client.Drain(ctx, c.Name, !c.Undo)
	switch {
	case err != nil:
		return farmError(err)
	case c.JSON:
		return e.printJSON(m)
	case c.Undo:
		e.printf("%s takes jobs again\n", clean(m.Name))
	default:
		e.printf("%s takes no more jobs; it has %d now\n", clean(m.Name), len(m.Jobs))
	}
	return nil
}
