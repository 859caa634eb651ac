package app

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
)

type sessionCmd struct {
	List       sessionListCmd       `cmd:"" default:"withargs" help:"List the sessions, and those that have ended by themselves."`
	Open       sessionOpenCmd       `cmd:"" help:"Open a .blend in a session, which begins if it is not there."`
	Save       sessionSaveCmd       `cmd:"" help:"Save a copy of the scene of a session as a .blend."`
	Checkpoint sessionCheckpointCmd `cmd:"" help:"Keep a copy of the scene of a session to go back to."`
	Undo       sessionUndoCmd       `cmd:"" help:"Go back to the last checkpoint of a session; asked again, to the checkpoint before that."`
	End        sessionEndCmd        `cmd:"" help:"End a session, its Blender and its checkpoints."`
}

func (sessionCmd) Help() string {
	return `A session is a Blender of its own that keeps its scene, modules and names from run to run. The first run with --session begins it:

    blendtray run --session chair -c 'legs = 4'
    blendtray run --session chair -c 'print(legs)'
    blendtray session checkpoint chair
    blendtray session undo chair
    blendtray session save chair chair.blend
    blendtray session end chair`
}

type sessionListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (sessionListCmd) Help() string {
	return `Lists the sessions by name. A session that has ended by itself or crashed is listed, with the reason, until it is begun anew.`
}

func (c *sessionListCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	all, err := client.Sessions(e)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(all)
	}
	if len(all) == 0 {
		e.note("there are no sessions; `blendtray run --session NAME` begins one")
		return nil
	}
	e.printSessions(all, time.Now())
	return nil
}

func (e *env) printSessions(all []api.Session, now time.Time) {
	t := &table{heading: []string{"SESSION", "STATE", "RUNS", "USED", "MEMORY", "CHECKPOINTS", ""}}
	several := slices.ContainsFunc(all, func(s api.Session) bool { return s.Blender != api.DefaultBlender })
	if several {
		t.heading = slices.Insert(t.heading, 1, "BLENDER")
	}
	for _, s := range all {
		memory := ""
		if s.MemoryBytes > 0 {
			memory = size(s.MemoryBytes)
		}
		more := oneLine(s.Reason)
		switch {
		case s.Run != "":
			more = "run " + s.Run
			if s.Queued > 0 {
				more += fmt.Sprintf(", %d waiting", s.Queued)
			}
		case more == "" && s.EndsAt != nil:
			more = "ends " + moment(*s.EndsAt, now) + " if it is not used"
		}
		row := []cell{
			{text: s.Name},
			{string(s.State), styleOf(string(s.State))},
			{text: fmt.Sprint(s.Runs)},
			{text: moment(s.UsedAt, now)},
			{text: memory},
			{text: checkpointsOf(s)},
			{text: more},
		}
		if several {
			row = slices.Insert(row, 1, cell{text: s.Blender})
		}
		t.add(row...)
	}
	e.printTable(t)
}

// checkpointsOf returns how many checkpoints a session has, and their size.
func checkpointsOf(s api.Session) string {
	if len(s.Checkpoints) == 0 {
		return ""
	}
	bytes := uint64(0)
	for _, c := range s.Checkpoints {
		bytes += c.Bytes
	}
	return fmt.Sprintf("%d, %s", len(s.Checkpoints), size(bytes))
}

// sessionName is the argument of the commands that act on a session.
type sessionName struct {
	Name string `arg:"" help:"The session, as \"blendtray session list\" names it."`
	JSON bool   `name:"json" help:"Print the run that did it and the session as JSON, and nothing else."`
}

type sessionOpenCmd struct {
	sessionName
	File string `arg:"" placeholder:"FILE.blend" help:"The .blend."`
}

func (sessionOpenCmd) Help() string {
	return `Opens the file in the session's Blender, in the place of its scene. Names of Python stay; those that refer to objects or other data of Blender are invalid afterwards. Scripts in the file run only where Blender's preferences allow it.`
}

func (c *sessionOpenCmd) Run(e *env) error {
	return c.do(e, api.SessionOpen, c.File, func(api.SessionDone) string { return "has opened " + api.NameInLine(c.File) })
}

type sessionSaveCmd struct {
	sessionName
	File string `arg:"" placeholder:"FILE.blend" help:"The .blend; a file that is there is replaced as a whole."`
}

func (sessionSaveCmd) Help() string {
	return `Saves a copy of the session's scene. The file that the session itself has open stays what it was.`
}

func (c *sessionSaveCmd) Run(e *env) error {
	return c.do(e, api.SessionSave, c.File, func(api.SessionDone) string { return "is saved as " + api.NameInLine(c.File) })
}

type sessionCheckpointCmd struct{ sessionName }

func (sessionCheckpointCmd) Help() string {
	return `Keeps a copy of the session's scene on disk, to which "session undo" goes back. sessions.checkpoints and sessions.checkpoint_bytes say how many are kept; they go with the session.`
}

func (c *sessionCheckpointCmd) Run(e *env) error {
	return c.do(e, api.SessionCheckpoint, "", func(d api.SessionDone) string {
		if len(d.Session.Checkpoints) == 0 { // it was ended meanwhile
			return "keeps no checkpoint any more"
		}
		last := d.Session.Checkpoints[len(d.Session.Checkpoints)-1]
		return fmt.Sprintf("has checkpoint %d, of %s", last.Number, size(last.Bytes))
	})
}

type sessionUndoCmd struct{ sessionName }

func (sessionUndoCmd) Help() string {
	return `Makes the session's scene what it was at its last checkpoint. A second undo, with no run in between, goes one checkpoint further back. Names of Python stay as they are; those that refer to objects or other data of Blender are invalid afterwards.`
}

func (c *sessionUndoCmd) Run(e *env) error {
	return c.do(e, api.SessionUndo, "", func(d api.SessionDone) string {
		if n := len(d.Session.Checkpoints); n > 0 {
			return "is back at the checkpoint of " + moment(d.Session.Checkpoints[n-1].MadeAt, time.Now())
		}
		return "is back at its checkpoint"
	})
}

// do has the session do an operation and prints the sentence that says returns. Ctrl-C cancels the
// operation.
func (c *sessionName) do(e *env, operation api.SessionOperation, file string, says func(api.SessionDone) string) error {
	if err := checkSessionName(c.Name); err != nil {
		return err
	}
	if operation.NeedsFile() {
		var err error
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		if !strings.EqualFold(filepath.Ext(file), ".blend") {
			return fault.New(fault.Usage, "", "the name of %s does not end in .blend", api.NameInLine(file))
		}
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(e, os.Interrupt, syscall.SIGTERM)
	defer stop()
	done, err := client.DoInSession(ctx, api.SessionRequest{
		Session: c.Name, Operation: operation, File: file, Client: "blendtray session",
	})
	switch {
	case ctx.Err() != nil:
		return fault.New(fault.Cancelled, "", "the %s was cancelled", operation)
	case err != nil:
		return err
	case c.JSON:
		return e.printJSON(done)
	}
	if done.Run.Reason != "" {
		e.warn("%s", clean(done.Run.Reason))
	}
	e.printf("session %s %s\n", c.Name, says(done))
	return nil
}

type sessionEndCmd struct {
	Name string `arg:"" help:"The session, as \"blendtray session list\" names it."`
	JSON bool   `name:"json" help:"Print the session as it was, as JSON."`
}

func (sessionEndCmd) Help() string {
	return `Cancels what runs or waits in the session, ends its Blender, and removes its checkpoints. What was not saved is gone.`
}

func (c *sessionEndCmd) Run(e *env) error {
	if err := checkSessionName(c.Name); err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	was, err := client.Session(e, c.Name)
	if err != nil && !errors.Is(err, api.ErrNoSession) { // its first run may wait
		return err
	}
	if err := client.EndSession(e, c.Name); err != nil {
		return err
	}
	if c.JSON {
		was.Name, was.State, was.PID = c.Name, api.SessionEnded, 0
		return e.printJSON(was)
	}
	e.printf("session %s has ended\n", c.Name)
	return nil
}

// checkSessionName fails when no session can have the name.
func checkSessionName(name string) error {
	if err := api.CheckSession(name); err != nil {
		return fault.New(fault.Usage, "", "%s", strings.TrimPrefix(err.Error(), api.ErrBad.Error()+": session: "))
	}
	return nil
}

// endedMeanwhile returns the names of the sessions that were there before and have ended since.
func endedMeanwhile(before, after []api.Session) (names []string) {
	state := map[string]api.SessionState{}
	for _, s := range before {
		state[s.Name] = s.State
	}
	for _, s := range after {
		if was, there := state[s.Name]; there && was != api.SessionEnded && s.State == api.SessionEnded {
			names = append(names, s.Name)
		}
	}
	return names
}

// sessionsOf returns the names of the sessions that have processes of the engine.
func sessionsOf(st api.Status) (names []string) {
	for _, p := range st.Processes {
		if p.Session != "" {
			names = append(names, p.Session)
		}
	}
	slices.Sort(names)
	return names
}
