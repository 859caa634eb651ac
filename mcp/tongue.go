package mcp

import (
	"regexp"
	"strings"
)

// commands are what the engine's texts name for a person at a command line, with what an agent has in its place.
// Commands that agents have nothing for are left as they are: a person can use them.
var commands = strings.NewReplacer(
	"`blendtray session list` lists the sessions", "the tool sessions lists the sessions, and run_python begins one",
	"`blendtray session list`", "the tool sessions",
	"`blendtray session end NAME` ends one", "the tool sessions with `end` ends one",
	"`blendtray runs`", "the resource "+scheme+"runs",
	"`blendtray status`", "the resource "+scheme+"status",
	"`blendtray log --engine`", "the resource "+scheme+"log/engine",
	"`blendtray log`", "the resource "+scheme+"log",
)

// undoCommand is the command that puts a session's scene back, with its name.
var undoCommand = regexp.MustCompile("`blendtray session undo [^`\\s]+` goes back to its last checkpoint")

// forAgents returns a text of the engine that names tools and resources of an agent, and no commands that have the
// same use for a person.
func forAgents(text string) string {
	return undoCommand.ReplaceAllLiteralString(commands.Replace(text), "the tool restore goes back to its last checkpoint")
}
