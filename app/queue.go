package app

import (
	"strconv"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/control"
)

type queueCmd struct {
	List   queueListCmd   `cmd:"" default:"withargs" help:"List the runs that wait, in the order in which they will begin."`
	First  queueFirstCmd  `cmd:"" help:"Put a run that waits ahead of the others."`
	Cancel queueCancelCmd `cmd:"" help:"Cancel a run that waits."`
}

type queueListCmd struct {
	Number int  `name:"number" short:"n" default:"20" placeholder:"N" help:"How many at most (default: 20)."`
	JSON   bool `name:"json" help:"Print JSON."`
}

func (queueListCmd) Help() string {
	return `Lists the runs that wait in the order in which they will begin, as it looks now, and what each waits for. The runs of a folder, a client or a session begin in their order; folders and clients take turns.`
}

// maxQueue is how many waiting runs the engine lists at most.
const maxQueue = 1000

func (c *queueListCmd) Run(e *env) error {
	if c.Number < 1 || c.Number > maxQueue {
		return fault.New(fault.Usage, "", "-n is a number from 1 to %d", maxQueue)
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	queue, total, err := client.Queue(e, c.Number)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(queue)
	}
	if len(queue) == 0 {
		e.note("no run waits")
		return nil
	}
	t := &table{heading: []string{"", "ID", "QUEUED", "SCRIPT", "WHY"}}
	for _, q := range queue {
		position := strconv.Itoa(q.Position)
		if q.Ahead {
			position += "!"
		}
		t.add(cell{text: position}, cell{text: q.Run.ID}, cell{text: moment(q.Run.QueuedAt, time.Now())},
			cell{text: nameOf(q.Run)}, cell{text: oneLine(q.Why)})
	}
	e.printTable(t)
	if more := total - len(queue); more > 0 {
		e.note("and %d more", more)
	}
	return nil
}

type queueFirstCmd struct {
	ID   string `arg:"" help:"The run's id, as \"blendtray queue\" lists it."`
	Line bool   `help:"Only ahead of the runs of its folder, its client or its session."`
}

func (queueFirstCmd) Help() string {
	return `The run begins as soon as a Blender is free for it, before all others that wait. What is running goes on. A run that is put ahead later goes before it.`
}

func (c *queueFirstCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	of, says := api.FrontOfAll, "is ahead of all others"
	if c.Line {
		of, says = api.FrontOfLine, "is ahead of its line"
	}
	run, err := client.MoveFirst(e, c.ID, of)
	if err == nil {
		e.printf("run %s of %s %s\n", run.ID, nameOf(run), says)
	}
	return err
}

type queueCancelCmd struct {
	ID string `arg:"" help:"The run's id, as \"blendtray queue\" lists it."`
}

func (queueCancelCmd) Help() string { return `The same as "blendtray cancel ID".` }

func (c *queueCancelCmd) Run(e *env) error {
	return e.runDoes(c.ID, (*control.Client).Cancel, "run %s of %s is cancelled\n")
}
