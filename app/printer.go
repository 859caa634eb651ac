package app

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// printer prints what happens in an engine, an event a line:
//
//	10:32:09  blender    ready: Blender 3.4.1, process 4711, port 40001
//	10:32:10  saved      turntable.py, run 12
//	10:32:10  started    turntable.py
//	            | what the script prints
//	10:32:11  succeeded  turntable.py in 0.42 s
//	                     result {"frames":24}
//	                     /home/ada/turntable.png
//
// The printer leaves out what Blender says about each sample of a render; the run keeps it.
type printer struct {
	*env
	quiet bool
	// status returns the engine's status, for details that events only hint at.
	status func() api.Status
	// The printer calls stop after stopAfter runs, unless stopAfter is 0.
	stopAfter int
	stop      func()
	// warned reports whether a note was already printed as a warning.
	warned func(text string) bool

	ended   int
	missing int64 // bytes of output that were left out
	// blenders are the last statuses of the Blenders, by name.
	blenders map[string]api.BlenderStatus
	renewed  *api.BlenderStatus // the first status of the start that follows a crash in a run, or nil
	folders  map[string]api.FolderStatus
	output   map[string]*prefixer
	started  map[string]bool
	// text is what is not written yet of the events that came together.
	text []byte
}

// gatherTime is how long the events wait that come after an event which the printer has shown. A line that
// comes alone is shown at once; of hundreds of runs a second, the lines of a moment go out in one piece, and
// the printer is woken once for all of them.
const gatherTime = 10 * time.Millisecond

const (
	outputPrefix  = "            | "
	belowLine     = "                     "
	maxTextInLine = 2000
)

func (p *printer) serve(events <-chan api.Event) {
	p.folders = map[string]api.FolderStatus{}
	p.blenders = map[string]api.BlenderStatus{}
	p.output = map[string]*prefixer{}
	p.started = map[string]bool{}
	for ev := range events {
		p.event(ev)
		output := ev.Kind == api.KindOutput
		for range len(events) {
			ev, ok := <-events
			if !ok {
				break
			}
			p.event(ev)
			output = output || ev.Kind == api.KindOutput
		}
		p.write()
		if !output { // what scripts print comes in any amount, and must not wait in the engine
			time.Sleep(gatherTime)
		}
	}
}

func (p *printer) event(ev api.Event) {
	p.missing += ev.Dropped
	switch ev.Kind {
	case api.KindRun:
		if ev.Run != nil {
			p.run(*ev.Run)
		}
	case api.KindOutput:
		p.printed(ev)
	case api.KindBlender:
		if ev.Blender != nil {
			p.blenderIs(*ev.Blender)
		}
	case api.KindFolders:
		p.foldersAre(p.status().Folders)
	case api.KindNote:
		if !p.warned(ev.Message) {
			p.add("note", plain, ev.Message)
		}
	case api.KindSettings:
		if !p.warned(ev.Message) {
			p.add("settings", plain, ev.Message)
		}
	case api.KindGap:
		p.add("note", yellow, "some lines are missing here: more happened than could be shown")
	}
}

// say prints a line and, below it, the text, at once.
func (p *printer) say(what string, s style, text string) {
	p.add(what, s, text)
	p.write()
}

// write writes what was added.
func (p *printer) write() {
	p.writeOut(string(p.text))
	p.text = p.text[:0]
}

// add adds a line and, below it, the text.
func (p *printer) add(what string, s style, text string) {
	text = strings.ReplaceAll(clean(strings.TrimRight(text, "\n")), "\n", "\n"+belowLine)
	p.text = fmt.Appendf(p.text, "%s  %s%s  %s\n", time.Now().Format(time.TimeOnly),
		paint(p.colorOut, s, what), strings.Repeat(" ", max(0, len("succeeded")-len(what))), text)
}

func (p *printer) run(r api.Run) {
	name := p.name(r)
	switch {
	case r.State == api.Queued:
		what := "queued"
		if r.Folder != "" && r.RetryOf == "" && r.Source != api.FromModule {
			what = "saved"
		}
		text := name + ", run " + r.ID
		if r.Reason != "" {
			text += ": " + oneLine(r.Reason)
		}
		p.add(what, plain, text)
	case r.AwaitsMachine(): // it was saved, and has not started
	case r.State == api.Running:
		if !p.started[r.ID] {
			p.started[r.ID] = true
			p.add("started", cyan, name)
		}
	default:
		p.runEnded(r, name)
	}
}

func (p *printer) runEnded(r api.Run, name string) {
	if out := p.output[r.ID]; out != nil {
		p.text = append(p.text, out.rest()...)
		delete(p.output, r.ID)
	}
	delete(p.started, r.ID)
	if p.missing > 0 && !p.quiet {
		p.text = fmt.Appendf(p.text, "%s[%s of output are missing: they came faster than they could be shown]\n", outputPrefix, size(uint64(p.missing)))
	}
	p.missing = 0
	text := name
	if r.StartedAt != nil {
		text += " in " + seconds(r.Seconds)
	}
	text += cut(because(r), maxTextInLine)
	if r.Error != nil {
		text += "\n`blendtray runs show " + r.ID + "` has all of it"
	}
	if result := resultOf(r); result != "" {
		text += "\nresult " + cut(result, maxTextInLine)
	}
	for _, o := range someOutputs(r) {
		text += "\n" + o
	}
	p.add(string(r.State), styleOf(string(r.State)), text)
	if p.ended++; p.ended == p.stopAfter {
		p.stop()
	}
}

// name returns the script's path relative to its watched folder, or the script's own path.
func (p *printer) name(r api.Run) string {
	if r.Folder != "" {
		if rel, err := filepath.Rel(r.Folder, r.Script); err == nil {
			return api.NameInLine(rel)
		}
	}
	return nameOf(r)
}

func (p *printer) printed(ev api.Event) {
	if p.quiet {
		return
	}
	out := p.output[ev.ID]
	if out == nil {
		out = &prefixer{prefix: outputPrefix, leaveOut: api.IsRenderStatus}
		p.output[ev.ID] = out
	}
	p.text = append(p.text, out.add(ev.Text)...)
}

// isRenewed reports whether a change of Blender belongs to the start that follows a crash in a
// run: the line of the run says that Blender has crashed. What goes wrong in that start does not
// belong to it.
func (p *printer) isRenewed(was, b api.BlenderStatus) bool {
	inRun := was.State == api.BlenderRunning || len(p.started) > 0 && was.State != api.BlenderStopped
	first := p.renewed
	p.renewed = nil
	switch {
	case b.Kind != api.BlenderOwn:
		return false
	case b.State == api.BlenderReady || b.State == api.BlenderRunning:
		return first != nil
	case b.State != api.BlenderStarting:
		return false
	case first == nil && inRun:
		first = &b
	case first == nil || b.Reason != "" && b.Reason != first.Reason:
		return false
	}
	p.renewed = first
	return true
}

// blenderIs prints a change of Blender, unless the change only begins or ends a run, which the
// lines of the run show already.
func (p *printer) blenderIs(b api.BlenderStatus) {
	was := p.blenders[b.Name]
	p.blenders[b.Name] = b
	if b.Resting && (was.Resting || was.State == "") { // nobody has used it yet
		return
	}
	atWork := func(s api.BlenderStatus) bool {
		return s.State == api.BlenderReady || s.State == api.BlenderRunning
	}
	switch {
	case atWork(b) && atWork(was) && (was.PID == b.PID || b.Kind == api.BlenderOwn), // each run has another process
		!atWork(b) && was.State == b.State && was.Reason == b.Reason && was.Path == b.Path,
		b.State == api.BlenderStarting && b.Path == "" && b.Reason == "": // Blender is still being looked for
		return
	}
	if p.isRenewed(was, b) || b.Kind == api.BlenderFarm && b.Reason == "" && was.Reason == "" {
		return
	}
	text := stateOf(b)
	switch b.State {
	case api.BlenderReady, api.BlenderRunning:
		if text = "ready"; b.Kind != api.BlenderFarm { // which is on other machines
			text = fmt.Sprintf("ready: Blender %s, process %d", b.Version, b.PID)
		}
		if b.Port != 0 {
			text += fmt.Sprintf(", port %d", b.Port)
		}
	case api.BlenderStarting:
		if b.Path != "" {
			text += ": " + b.Path
		}
	}
	if b.Reason != "" {
		text += "\n" + strings.TrimRight(b.Reason, "\n")
	}
	if b.State == api.BlenderFailed {
		text += "\n`blendtray doctor` looks for the cause, `" + startOf(b) + "` tries again"
	}
	if b.Name != "" && b.Name != api.DefaultBlender {
		text = b.Name + ": " + text
	}
	p.add("blender", styleOf(string(b.State)), text)
}

func (p *printer) foldersAre(folders []api.FolderStatus) {
	for _, f := range folders {
		before, known := p.folders[f.Path]
		p.folders[f.Path] = f
		for _, s := range f.Waiting {
			if !slices.ContainsFunc(before.Waiting, func(b api.WaitingScript) bool { return b.Path == s.Path && b.Hint == s.Hint }) {
				p.add("waiting", yellow, api.NameInLine(s.Path)+"\n"+s.Hint)
			}
		}
		before.Stale = f.Stale // a note has told of them
		if before.Waiting = f.Waiting; known && before.Equal(f) {
			continue
		}
		switch {
		case f.Error != "":
			p.add("folder", yellow, api.NameInLine(f.Path)+"\n"+f.Error)
		case f.Method != "":
			text := api.NameInLine(f.Path) + " is watched (" + f.Method + ")"
			if f.Note != "" {
				text += "\n" + f.Note
			}
			p.add("folder", plain, text)
		}
	}
}

// resultOf returns what a run's script left in `result`, on one line, or "".
func resultOf(r api.Run) string {
	if len(r.Result) == 0 || string(r.Result) == "null" {
		return ""
	}
	return oneLine(string(r.Result))
}
