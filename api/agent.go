package api

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Agent is a program for agents that is connected, as that program and the server that answers it say.
type Agent struct {
	// ID is a name that the server has chosen, unique in an engine.
	ID string `json:"id"`
	// Name and Version are what the program calls itself. Any program may say any name.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Transport says how the program is connected: one of the values below.
	Transport string `json:"transport"`
	// Client is what the runs of the program have as their client.
	Client string `json:"client"`
	// Sessions are those that the program has used, the last one first.
	Sessions []string `json:"sessions"`
	// Since is when the program was heard for the first time.
	Since time.Time `json:"since"`
	// Call is the tool that was called last, or "", and CalledAt when that was. Calling is how many calls
	// go on.
	Call     string     `json:"call"`
	CalledAt *time.Time `json:"called_at"`
	Calling  int        `json:"calling"`
	// Calls and Runs count the calls of tools, and the runs that were made for them.
	Calls int `json:"calls"`
	Runs  int `json:"runs"`
}

// The values of [Agent.Transport].
const (
	OverPipe = "pipe" // standard input and output
	OverHTTP = "http" // the program is counted as connected for a while after its last call
	OverLab  = "lab"  // the port for Blender Lab's MCP server
)

// These bound what is kept of an agent, whose program chooses the names.
const (
	MaxAgentName     = 60  // bytes
	MaxAgentClient   = 200 // bytes
	MaxAgentSessions = 8
)

// CleanName returns a name that a program has chosen in a form that harms no list: without signs that
// hide text, with single spaces, and cut to so many bytes.
func CleanName(name string, most int) string {
	name = strings.Map(func(r rune) rune {
		if HidesText(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, " "))
	name = strings.Join(strings.Fields(name), " ")
	if len(name) <= most {
		return name
	}
	for most > 0 && !utf8.RuneStart(name[most]) {
		most--
	}
	return strings.TrimSpace(name[:most])
}

// Clean returns the agent with its texts clean and within bounds, and numbers that can be.
func (a Agent) Clean() Agent {
	a.Name, a.Version = CleanName(a.Name, MaxAgentName), CleanName(a.Version, MaxAgentName)
	a.Call, a.Client = CleanName(a.Call, MaxAgentName), CleanName(a.Client, MaxAgentClient)
	switch a.Transport {
	case OverPipe, OverHTTP, OverLab:
	default:
		a.Transport = ""
	}
	sessions := []string{}
	for _, s := range a.Sessions {
		if CheckSession(s) == nil && len(sessions) < MaxAgentSessions {
			sessions = append(sessions, s)
		}
	}
	a.Sessions = sessions
	a.Calling, a.Calls, a.Runs = max(0, a.Calling), max(0, a.Calls), max(0, a.Runs)
	return a
}

// Title returns what the program calls itself, with its version.
func (a Agent) Title() string {
	if a.Name == "" {
		return "an agent without a name"
	}
	return strings.TrimSpace(a.Name + " " + a.Version)
}

// Words returns a sentence for a terminal: which program is connected how, since when, and what it has
// done. now is when it is said.
func (a Agent) Words(now time.Time) string {
	text := a.Title()
	switch a.Transport {
	case OverPipe:
		text += " over a pipe"
	case OverHTTP:
		text += " over HTTP"
	case OverLab:
		text += " over Blender Lab's port"
	}
	text += ", for " + roundTime(now.Sub(a.Since))
	if len(a.Sessions) > 0 {
		text += ", session " + strings.Join(a.Sessions, ", ")
	}
	text += fmt.Sprintf(", %s, %s", count(a.Calls, "call"), count(a.Runs, "run"))
	switch {
	case a.Call == "" || a.CalledAt == nil:
	case a.Calling > 0:
		text += ", " + a.Call + " goes on"
	default:
		text += fmt.Sprintf(", last %s %s ago", a.Call, roundTime(now.Sub(*a.CalledAt)))
	}
	return text
}

// roundTime returns a time as it is said of somebody who was seen: in whole seconds, minutes or hours.
func roundTime(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// count returns a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
