//go:build !headless

package tray

import (
	"bufio"
	"encoding/json"
	"io"

	"blendtray/api"
)

// The tray and the window are two processes of one program. The tray starts the window and holds
// its standard input: orders go in, each a line of JSON, and the end of the input ends the window,
// however the tray has ended. Requests of the window come back over its standard output.

// question is what the window asks a person for the tray, whose menu can't ask.
type question string

// The values of [question].
const (
	askQuit    question = "quit"
	askStop    question = "stop"
	askRestart question = "restart"
)

// order is what the tray tells the window.
type order struct {
	// Show is not 0 when the window is to come to the front. It counts the orders, so that the tray
	// knows which of them a window has carried out.
	Show int `json:"show,omitempty"`
	// Run is the run that the window shows then, or "".
	Run string `json:"run,omitempty"`
	// Ask is what the window asks then, or "". Words say what the answer yes ends: a window that has
	// just been started does not know that yet.
	Ask   question `json:"ask,omitempty"`
	Words string   `json:"words,omitempty"`
	// Facts is what the tray knows and the engine does not, or nil when nothing has changed.
	Facts *facts `json:"facts,omitempty"`
}

// facts is what the tray knows and the engine does not.
type facts struct {
	// Own is true when the engine is in the process of the tray.
	Own bool `json:"own"`
	// Note is a sentence for the banner, or "".
	Note string `json:"note"`
	// Trouble says in a sentence why the tray could not do what it was asked to, or is "".
	Trouble string `json:"trouble"`
	// Broken is the state of the settings while they keep the tray from starting its engine.
	Broken api.SettingsStatus `json:"broken"`
}

// request is what the window tells the tray.
type request struct {
	// Shown is the number of the last order to show the window that was carried out.
	Shown int `json:"shown,omitempty"`
	// Quit is true when the program is to end.
	Quit bool `json:"quit,omitempty"`
	// Read is true when a person has read and closed the banner.
	Read bool `json:"read,omitempty"`
	// StartEngine is true when the tray is to start an engine in its process.
	StartEngine bool `json:"start_engine,omitempty"`
	// Focus says that the window has got the focus or has lost it, or is nil.
	Focus *bool `json:"focus,omitempty"`
}

// maxMessage is how long a line between the two processes may be.
const maxMessage = 1 << 20

// messages calls got with each message that comes over r, until r ends. Lines that are no messages
// are left out: a library may have printed them.
func messages[T any](r io.Reader, got func(T)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var m T
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			got(m)
		}
	}
}

// tell writes a message, and fails when the other process is gone.
func tell(w io.Writer, message any) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
