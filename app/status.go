package app

import (
	"fmt"
	"strings"
	"time"

	"blendtray/api"
)

type statusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (statusCmd) Help() string {
	return `Shows the engine that answers, its Blender, the folders it watches, the file of its settings and how many runs wait. When no engine answers the exit code is 3.`
}

func (c *statusCmd) Run(e *env) error {
	client, err := e.client()
	if err != nil {
		return err
	}
	st, err := client.Status(e)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(st)
	}
	e.printStatus(st)
	return nil
}

func (e *env) printStatus(st api.Status) {
	e.printf("%-8s %s for %s, version %s, process %d%s\n", "engine", paint(e.colorOut, green, "running"),
		seconds(st.Engine.UptimeSeconds), st.Engine.Version, st.Engine.PID, usageFact(st.Engine.Usage))
	if text, hint := oldEngine(st.Engine, version); text != "" {
		e.printf("%-8s %s: %s; %s\n", "", paint(e.colorOut, yellow, "outdated"), clean(text), hint)
	}
	e.printBlenders(st)
	if names := sessionsOf(st); len(names) > 0 {
		e.printf("%-8s %s\n", "sessions", strings.Join(names, ", "))
	}
	for _, a := range st.Agents {
		e.printf("%-8s %s\n", "agent", clean(a.Words(time.Now())))
	}
	for _, f := range st.Folders {
		e.printf("%-8s %s\n", "folder", e.describeFolder(f, st.WatchingPaused))
	}
	if len(st.Folders) == 0 {
		e.printf("%-8s none is watched; `blendtray serve --folder DIR` watches one\n", "folder")
	}
	if st.Settings.File != "" {
		e.printf("%-8s %s\n", "settings", e.describeSettings(st.Settings))
	}
	e.printf("%-8s %s\n", "runs", e.countRuns(st))
	for _, r := range st.Runs {
		e.printf("%-8s %s %s\n", "", paint(e.colorOut, cyan, "run "+r.ID+":"), describeRunning(r, time.Now()))
	}
	if st.SavesWaiting > 0 {
		e.printf("%-8s %s\n", "", paint(e.colorOut, red, clean(savesWait(st))))
	}
	if st.Hint != "" {
		e.printf("%-8s %s\n", "", st.Hint)
	}
}

// oldEngine returns a sentence that says that the engine is another program than the program that is
// installed, and what to do, or "". The argument own is the version of the program that asks.
func oldEngine(engine api.EngineStatus, own string) (sentence, hint string) {
	const restart = "`blendtray service restart`, or end the engine and start it again"
	switch {
	case engine.Replaced:
		return "the program of the engine was replaced since the engine started",
			"a service goes on with the new program when no run is running and no session or kept scene is in use; otherwise " + restart
	case engine.Version != own:
		return "the engine has the version " + engine.Version + ", and this program " + own, restart
	}
	return "", ""
}

// counted returns how many runs do something, in a colour where there are any.
func (e *env) counted(n int, what string, s style) string {
	return paint(e.colorOut && n > 0, s, fmt.Sprintf("%d %s", n, what))
}

// countRuns says how many runs are running and wait. Runs that no machine of the farm has begun wait there.
func (e *env) countRuns(st api.Status) string {
	far := 0
	for _, r := range st.Runs {
		if r.AwaitsMachine() {
			far++
		}
	}
	text := e.counted(st.Running-far, "running", cyan) + ", " + e.counted(st.Queued, "waiting", yellow)
	if far > 0 {
		text += ", " + e.counted(far, "waiting for a machine of the farm", yellow)
	}
	return text
}

// describeRunning says what a run that is running executes, for how long, where, and how far it is.
func describeRunning(r api.Run, now time.Time) string {
	text := nameOf(r) + where(r)
	if r.AwaitsMachine() {
		text += " waits for a machine of the farm"
	}
	if r.StartedAt != nil {
		text += ", for " + seconds(now.Sub(*r.StartedAt).Seconds())
	}
	if r.Progress != nil {
		text += ", " + bar(*r.Progress, 0)
	}
	return oneLine(text)
}

// where returns in which Blender a run is running, unless it is the default Blender, in which session,
// and in which process, or that it is running on the farm. It returns "" for a run that is not running.
func where(r api.Run) string {
	if r.State != api.Running || r.AwaitsMachine() {
		return ""
	}
	var facts []string
	if r.Session != "" {
		facts = append(facts, "session "+r.Session)
	}
	if asked, far := api.FarmAsks(r.Blender); far {
		facts = append(facts, "on a machine of the farm")
		if asked != "" {
			facts = append(facts, "with Blender "+asked)
		}
	} else if r.Blender != "" {
		facts = append(facts, "Blender "+r.Blender)
	}
	if r.PID != 0 {
		facts = append(facts, fmt.Sprintf("process %d", r.PID))
	}
	if len(facts) == 0 {
		return ""
	}
	return " (" + strings.Join(facts, ", ") + ")"
}

// savesWait returns a sentence that says how many saves could not be written down, and why.
func savesWait(st api.Status) string {
	if st.SavesWaiting == 1 {
		return "1 save could not be written down and is tried again: " + st.SavesWaitFor
	}
	return fmt.Sprintf("%d saves could not be written down and are tried again: %s", st.SavesWaiting, st.SavesWaitFor)
}

// printBlenders prints a line for each Blender, with its name when there are several.
func (e *env) printBlenders(st api.Status) {
	for _, b := range st.Blenders {
		name := ""
		if len(st.Blenders) > 1 {
			name = clean(b.Name) + ", "
		}
		e.printf("%-8s %s%s\n", "blender", name, e.describeBlender(b, usageOf(st, b.Name)))
	}
}

// stateOf returns the state of a Blender in a word.
func stateOf(b api.BlenderStatus) string {
	if b.Resting {
		return "resting"
	}
	return string(b.State)
}

// startOf returns the command that starts a Blender.
func startOf(b api.BlenderStatus) string {
	if b.Name == "" || b.Name == api.DefaultBlender {
		return "blendtray start"
	}
	return "blendtray start " + b.Name
}

// usageOf returns what the processes of a Blender, and what they have started, took together when they were
// measured last, or nil. How many processes there are is that of Blenders alone.
func usageOf(st api.Status, blender string) *api.UsageSample {
	var all api.UsageSample
	for _, p := range st.Processes {
		if p.Blender == blender && p.Usage != nil {
			all.MemoryBytes += p.Usage.MemoryBytes
			all.CPUCores += p.Usage.CPUCores
			all.Processes++
		}
	}
	if all.Processes == 0 {
		return nil
	}
	return &all
}

// usageFact returns in words what processes took, to be put after other facts, or "".
func usageFact(u *api.UsageSample) string {
	if u == nil {
		return ""
	}
	text := ", " + size(u.MemoryBytes) + ", " + cores(u.CPUCores)
	if u.Processes > 1 {
		text += fmt.Sprintf(" (%d processes)", u.Processes)
	}
	return text
}

// cores returns in words how many cores were busy.
func cores(n float64) string {
	if n < 0.995 {
		return fmt.Sprintf("%.0f %% of a core", n*100)
	}
	return fmt.Sprintf("%.1f cores", n)
}

func (e *env) describeBlender(b api.BlenderStatus, usage *api.UsageSample) string {
	text := paint(e.colorOut, styleOf(string(b.State)), stateOf(b))
	var facts []string
	if b.Version != "" {
		facts = append(facts, "Blender "+b.Version)
	}
	if b.PID != 0 {
		facts = append(facts, fmt.Sprintf("process %d", b.PID))
	}
	if b.Port != 0 {
		facts = append(facts, fmt.Sprintf("port %d", b.Port))
	}
	if usage != nil {
		facts = append(facts, strings.TrimPrefix(usageFact(usage), ", "))
	} else if b.MemoryBytes != 0 {
		facts = append(facts, size(b.MemoryBytes))
	}
	if b.Run != "" {
		facts = append(facts, "run "+b.Run)
	}
	if b.Waiting > 0 {
		facts = append(facts, fmt.Sprintf("%d waiting for the next run", b.Waiting))
	}
	if len(facts) > 0 {
		text += ": " + strings.Join(facts, ", ")
	}
	if b.Reason != "" {
		text += "\n" + indent(clean(strings.TrimRight(b.Reason, "\n")), "         ")
	}
	return text
}

func (e *env) describeFolder(f api.FolderStatus, paused bool) string {
	text := api.NameInLine(f.Path)
	switch {
	case f.Method == "":
		text += paint(e.colorOut, red, " not watched")
	case paused:
		text += paint(e.colorOut, yellow, " paused")
	default:
		text += " (" + f.Method + ")"
	}
	if f.Error != "" {
		text += "\n" + indent(clean(f.Error), "         ")
	}
	if f.Note != "" {
		text += "\n" + indent(clean(f.Note), "         ")
	}
	for _, path := range f.Stale {
		text += "\n" + indent(paint(e.colorOut, yellow, "stale")+" "+api.NameInLine(path)+": modules that it imports have changed; `blendtray retry --stale` runs it again", "         ")
	}
	for _, s := range f.Waiting {
		text += "\n" + indent(paint(e.colorOut, yellow, "waiting")+" "+api.NameInLine(s.Path)+": "+clean(s.Hint), "         ")
	}
	return text
}

func (e *env) describeSettings(s api.SettingsStatus) string {
	if s.Error == "" {
		return clean(s.File)
	}
	return paint(e.colorOut, red, "wrong") + "; the settings before still hold\n" + indent(clean(s.Error), "         ")
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(text, "\n", "\n"+by)
}
