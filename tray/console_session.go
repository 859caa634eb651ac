//go:build !headless

package tray

import (
	"slices"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

// defaultSession is the session in which the console runs code until a person chooses another one.
const defaultSession = "console"

// lastScene is the choice of the scene that the last run has left, which is no session.
const lastScene = ""

// consoleChoices returns where code may run: in the session of the console, in the chosen session and
// all others there are, and in the scene of the last run.
func consoleChoices(sessions []api.Session, chosen string) (names []string) {
	for _, s := range sessions {
		if s.Name != defaultSession && s.Name != chosen && s.State != api.SessionEnded {
			names = append(names, s.Name)
		}
	}
	if chosen != defaultSession && chosen != lastScene {
		names = append(names, chosen)
	}
	slices.Sort(names)
	return append(append([]string{defaultSession}, names...), lastScene)
}

// choiceWords returns a choice as a person reads it.
func choiceWords(session string) string {
	if session == lastScene {
		return lang.L("The scene of the last run")
	}
	return session
}

// findSession returns the session with a name, or nil.
func findSession(sessions []api.Session, name string) *api.Session {
	for i := range sessions {
		if sessions[i].Name == name {
			return &sessions[i]
		}
	}
	return nil
}

// sessionWords returns the state of a session in words. s is nil where there is none of the name, and
// begun is when the run began that is running in it, or nil.
func sessionWords(s *api.Session, begun *time.Time) string {
	if s == nil {
		return lang.L("begins with its first run")
	}
	switch s.State {
	case api.SessionStarting:
		return lang.L("starting: its first run waits for a Blender")
	case api.SessionRunning:
		if begun == nil {
			return lang.L("running")
		}
		return lang.L("running since {{.Time}}", map[string]any{"Time": begun.Local().Format(time.TimeOnly)})
	case api.SessionCrashed:
		return lang.L("{{.Why}}; the next run starts a new session and says so", map[string]any{"Why": oneLine(s.Reason, 120)})
	case api.SessionEnded:
		return lang.L("ended because {{.Why}}; the next run starts a new session and says so", map[string]any{"Why": oneLine(s.Reason, 120)})
	}
	words := lang.L("idle")
	if s.MemoryBytes > 0 {
		words += " · " + bytesText(int64(s.MemoryBytes))
	}
	if s.Queued > 0 {
		words += " · " + lang.N("{{.Count}} waiting", s.Queued, with{"Count": grouped(s.Queued)})
	}
	if n := len(s.Checkpoints); n > 0 {
		words += " · " + lang.L("checkpoints: {{.Count}}", map[string]any{"Count": n})
	}
	return words
}
