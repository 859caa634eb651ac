package app

import (
	"fmt"
	"strings"

	"blendtray/api"
)

type runsCodeCmd struct {
	ID   string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
	JSON bool   `name:"json" help:"Print JSON: the run's id, its script, and the code as text and in base64."`
}

func (runsCodeCmd) Help() string {
	return `Prints the code of a run as it ran, whatever the script holds now. In a pipe it is exact to the byte.`
}

func (c *runsCodeCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	code, err := client.Code(e, c.ID)
	if err != nil {
		return err
	}
	if !c.JSON {
		e.writeOut(string(code))
		return nil
	}
	run, err := client.Run(e, c.ID)
	if err != nil {
		return err
	}
	return e.printJSON(struct {
		Run    string `json:"run"`
		Script string `json:"script"`
		SHA256 string `json:"sha256"`
		Text   string `json:"text"`
		Code   []byte `json:"code"`
	}{run.ID, run.Script, run.SHA256, strings.ToValidUTF8(string(code), "\ufffd"), code})
}

type runsChangesCmd struct {
	ID   string `arg:"" help:"The run's id, as \"blendtray runs\" lists it."`
	JSON bool   `name:"json" help:"Print JSON."`
}

func (runsChangesCmd) Help() string {
	return `Prints a unified diff between the code of the run before of the same script and the code of this run. Code that has only a name, such as "<command line>", has a run before in the same session.`
}

func (c *runsChangesCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	changes, err := client.Changes(e, c.ID)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return e.printJSON(changes)
	case changes.Same:
		e.note("run %s had the same code as run %s", changes.Run, changes.Before)
	case changes.NoText:
		e.note("the code of run %s can't be compared: it is no text in UTF-8, or too large", changes.Run)
	case changes.Diff == "":
		e.note("run %s is the first of its script that is kept, and has no code", changes.Run)
	default:
		e.printDiff(changes)
	}
	return nil
}

// printDiff prints a diff, in colours on a terminal.
func (e *env) printDiff(c api.Changes) {
	if c.Before == "" {
		e.note("run %s is the first of its script that is kept", c.Run)
	}
	var b strings.Builder
	for line := range strings.Lines(c.Diff) {
		text, end := strings.CutSuffix(line, "\n")
		fmt.Fprint(&b, paint(e.colorOut, diffStyle(text), text))
		if end {
			b.WriteByte('\n')
		}
	}
	e.writeOut(b.String())
}

// diffStyle returns the colour of a line of a diff.
func diffStyle(line string) style {
	switch {
	case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
		return dim
	case strings.HasPrefix(line, "@@"):
		return cyan
	case strings.HasPrefix(line, "+"):
		return green
	case strings.HasPrefix(line, "-"):
		return red
	}
	return plain
}
