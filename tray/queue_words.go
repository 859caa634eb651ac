//go:build !headless

package tray

import (
	"fmt"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// processUse returns in words what a process does. run is the run that it executes, or nil when nothing is
// known of that.
func processUse(p api.ProcessStatus, run *api.Run, now time.Time) string {
	session := ""
	if p.Session != "" {
		session = lang.L("session {{.Name}}", map[string]any{"Name": oneLine(p.Session, 32)})
	}
	switch p.State {
	case api.BlenderStarting:
		return beside(session, lang.L("starting"))
	case api.BlenderStopping:
		return beside(session, lang.L("stopping"))
	case api.BlenderFailed:
		return beside(session, lang.L("it could not be started"))
	case api.BlenderStopped:
		return beside(session, lang.L("stopped"))
	}
	switch {
	case run != nil && run.StartedAt != nil:
		return beside(session, lang.L("running {{.Run}}", map[string]any{"Run": runningWords(*run, now)}))
	case p.Run != "":
		return beside(session, lang.L("running run {{.ID}}", map[string]any{"ID": p.Run}))
	case session != "":
		return beside(session, lang.L("idle"))
	}
	switch p.Use {
	case "waiting":
		if p.Scene != "" {
			return lang.L("waiting for the next run, with {{.File}} open", map[string]any{"File": nameInLine(filepath.Base(p.Scene), 32)})
		}
		return lang.L("waiting for the next run, with nothing run in it")
	case "left":
		if p.Left != "" {
			return lang.L("idle, with what run {{.ID}} left", map[string]any{"ID": p.Left})
		}
		return lang.L("idle, with what the last run left")
	case "scene":
		return lang.L("idle; each run gets a new scene")
	case "keep":
		return lang.L("idle; it keeps its state from run to run")
	case "open":
		return lang.L("idle; a person has it open")
	}
	return lang.L("idle")
}

// runningWords returns which script is running, since when, and how far it is.
func runningWords(r api.Run, now time.Time) string {
	text := lang.L("{{.Name}} for {{.Time}}", map[string]any{"Name": nameOf(r), "Time": clock(elapsed(r, now))})
	if p := r.Progress; p != nil && p.Fraction >= 0 {
		text += " · " + percent(p.Fraction)
		if p.RemainingSeconds >= 1 {
			text += " · " + lang.L("{{.Time}} left", map[string]any{"Time": clock(time.Duration(p.RemainingSeconds * float64(time.Second)))})
		}
	}
	return text
}

// restingUse returns in words why a Blender has no process.
func restingUse(b api.BlenderStatus) string {
	switch {
	case b.Resting:
		return lang.L("resting; it starts when a run asks for it")
	case b.State == api.BlenderFailed:
		return lang.L("it can't start: {{.Reason}}", map[string]any{"Reason": reasonOf(b.Reason)})
	case b.State == api.BlenderStarting && b.Source == api.SourceOpen:
		return lang.L("waiting until a person opens it")
	case b.State == api.BlenderStarting:
		return lang.L("starting")
	case b.State == api.BlenderStopping:
		return lang.L("stopping")
	case b.State == api.BlenderReady:
		return lang.L("it starts when a run needs it")
	}
	return lang.L("stopped")
}

// blenderTitle returns the name of a Blender to show, with its version as far as it is known, and the id
// of the process unless it is 0.
func blenderTitle(name, version string, pid int) string {
	title := "Blender"
	if version != "" {
		title += " " + version
	}
	process := ""
	if pid != 0 {
		process = lang.L("process {{.PID}}", map[string]any{"PID": pid})
	}
	return beside(title, oneLine(name, 32), process)
}

// farmTitle returns what is shown in the place of a Blender's name for the machines of the farm.
func farmTitle(b api.BlenderStatus) string {
	asked, _ := api.FarmAsks(b.Name)
	if asked != "" {
		asked = "Blender " + oneLine(asked, 32)
	}
	return beside(lang.L("Machines of the farm"), asked)
}

// farmUse returns in words what the machines of the farm do with the runs of this machine that are
// running, or why they get none.
func farmUse(b api.BlenderStatus, running []api.Run) string {
	executed, waiting := 0, 0
	for _, r := range running {
		switch {
		case r.Blender != b.Name:
		case r.AwaitsMachine():
			waiting++
		default:
			executed++
		}
	}
	var words, wait string
	if executed > 0 {
		words = lang.N("{{.Count}} runs are running", executed, with{"Count": grouped(executed)})
	}
	if waiting > 0 {
		wait = lang.N("{{.Count}} wait for a machine", waiting, with{"Count": grouped(waiting)})
	}
	switch {
	case b.Reason != "":
		return beside(words, wait, reasonOf(b.Reason))
	case b.State == api.BlenderStopped:
		return beside(words, wait, lang.L("stopped; blendtray start {{.Name}} sends runs there again", map[string]any{"Name": oneLine(b.Name, 32)}))
	case executed == 0 && waiting == 0:
		return lang.L("no run of this machine is there")
	}
	return beside(words, wait)
}

// waitsWhy returns in words why a run waits. names has the names of runs by their ids, as far as they are
// known.
func waitsWhy(q api.QueuedRun, names map[string]string) string {
	behind := map[string]any{"Run": names[q.Behind]}
	if names[q.Behind] == "" {
		behind["Run"] = lang.L("run {{.ID}}", map[string]any{"ID": q.Behind})
	}
	switch q.Reason {
	case api.WaitsForStart:
		return lang.L("its Blender starts")
	case api.WaitsForScript:
		return lang.L("the same script is running")
	case api.WaitsForSession:
		return lang.L("the session is busy with {{.Run}}", behind)
	case api.WaitsForState:
		return lang.L("the Blender whose state it needs is busy with {{.Run}}", behind)
	case api.WaitsForPlace:
		return lang.L("no more runs may be running at the same time")
	case api.WaitsForFree:
		return lang.L("every Blender for it is busy")
	case api.WaitsForTurn:
		return lang.L("its turn comes after {{.Run}}", behind)
	case api.WaitsForNothing:
		return lang.L("it is about to start")
	}
	return oneLine(quoteCode(q.Why), 200) // the engine alone knows
}

// lineWords returns whose turn a run waits for, in words.
func lineWords(of api.QueueLine) string {
	switch of.LineKind {
	case "folder":
		return shortPath(of.Line)
	case "session":
		return lang.L("session {{.Name}}", map[string]any{"Name": oneLine(of.Line, 32)})
	}
	if of.Line == "" {
		return lang.L("a program")
	}
	return oneLine(of.Line, 32)
}

// shortPath returns the last two parts of a path.
func shortPath(path string) string {
	parent := filepath.Base(filepath.Dir(path))
	if parent == string(filepath.Separator) || parent == "." {
		return nameInLine(path, 40)
	}
	return nameInLine("…"+string(filepath.Separator)+filepath.Join(parent, filepath.Base(path)), 40)
}

// cancelLineLabel returns the text of the button that cancels a line.
func cancelLineLabel(kind string) string {
	switch kind {
	case "session":
		return lang.L("Cancel all runs of this session")
	case "client":
		return lang.L("Cancel all runs of this program")
	}
	return lang.L("Cancel all runs of this folder")
}

// waitWords returns how many runs wait.
func waitWords(n int) string {
	if n == 1 {
		return lang.L("1 run waits")
	}
	return lang.N("{{.Count}} runs wait", n, map[string]any{"Count": grouped(n)})
}

// coresText returns how much of the processors was taken.
func coresText(n float64) string {
	if n < 0.995 {
		return lang.L("CPU {{.Percent}} % of a core", map[string]any{"Percent": fmt.Sprintf("%.0f", n*100)})
	}
	return lang.L("CPU {{.Cores}} cores", map[string]any{"Cores": fmt.Sprintf("%.1f", n)})
}

// memoryText returns how much memory was taken, and by how many processes where there are several.
func memoryText(s api.UsageSample) string {
	text := bytesText(s.MemoryBytes)
	if s.Processes > 1 {
		return lang.L("{{.Memory}} in {{.Count}} processes", map[string]any{"Memory": text, "Count": s.Processes})
	}
	return lang.L("memory {{.Memory}}", map[string]any{"Memory": text})
}
