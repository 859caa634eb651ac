//go:build !headless

package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"blendtray/api"
)

// editor is a program that opens a file at a line.
type editor struct {
	program string
	args    string // how the program is told the file and the line
	// terminal is true for an editor that needs a terminal, whose window the desktop does not open.
	terminal bool
}

// editors are the editors whose arguments are known. Those without a terminal are tried in this order
// when nobody has chosen an editor.
var editors = []editor{
	{"code", "--goto {file}:{line}", false},
	{"codium", "--goto {file}:{line}", false},
	{"subl", "{file}:{line}", false},
	{"zed", "{file}:{line}", false},
	{"kate", "--line {line} {file}", false},
	{"gnome-text-editor", "{file} +{line}", false},
	{"gedit", "{file} +{line}", false},
	{"mousepad", "--line {line} {file}", false},
	{"code-insiders", "--goto {file}:{line}", false},
	{"cursor", "--goto {file}:{line}", false},
	{"gvim", "+{line} {file}", false},
	{"emacs", "+{line} {file}", false},
	{"emacsclient", "+{line} {file}", false},
	{"geany", "+{line} {file}", false},
	{"xed", "+{line} {file}", false},
	{"pluma", "+{line} {file}", false},
	{"vi", "+{line} {file}", true},
	{"vim", "+{line} {file}", true},
	{"vimx", "+{line} {file}", true},
	{"rvim", "+{line} {file}", true},
	{"view", "+{line} {file}", true},
	{"nvim", "+{line} {file}", true},
	{"nano", "+{line} {file}", true},
	{"micro", "{file}:{line}", true},
	{"hx", "{file}:{line}", true},
	{"helix", "{file}:{line}", true},
	{"kak", "+{line} {file}", true},
	{"joe", "+{line} {file}", true},
	{"ne", "+{line} {file}", true},
	{"mcedit", "+{line} {file}", true},
}

// guessed is how many of the editors are tried when nobody has chosen one.
const guessed = 8

// terminals are programs that open a window with a terminal, and the argument before the command that
// runs in it. The first is what a person has chosen as the terminal.
var terminals = [][]string{
	{"xdg-terminal-exec"},
	{"x-terminal-emulator", "-e"},
	{"gnome-terminal", "--"},
	{"konsole", "-e"},
	{"xfce4-terminal", "-x"},
	{"kitty"},
	{"alacritty", "-e"},
	{"foot"},
	{"xterm", "-e"},
}

// editorFor returns the command that opens a file in a person's editor at a line, or nil where none is
// known. chosen is the setting window.editor, visual the variable VISUAL, and look finds a program as
// [exec.LookPath] does. Line 0 is no line in particular.
func editorFor(chosen api.Command, visual, path string, line int, look func(string) (string, error)) []string {
	if parts := chosen.Parts(); len(parts) > 0 {
		return filled(parts, path, line)
	}
	var command api.Command
	if command.UnmarshalText([]byte(visual)) == nil && len(command.Parts()) > 0 {
		parts := command.Parts()
		known := knownEditor(parts[0])
		inTerminal := known.terminal || slices.ContainsFunc(parts[1:], known.asksForTerminal)
		parts = append(parts, strings.Fields(known.args)...)
		if parts = filled(parts, path, line); !inTerminal {
			return parts
		}
		for _, t := range terminals {
			if _, err := look(t[0]); err == nil {
				return append(slices.Clone(t), parts...)
			}
		}
	}
	if line == 0 {
		return nil
	}
	for _, e := range editors[:guessed] {
		if program, err := look(e.program); err == nil {
			return filled(append([]string{program}, strings.Fields(e.args)...), path, line)
		}
	}
	return nil
}

// asksForTerminal reports whether an argument has an editor that may have a window use a terminal instead.
func (e editor) asksForTerminal(arg string) bool {
	switch arg {
	case "-nw":
		return true
	case "-t", "--tty", "--nw", "--no-window-system": // they may be something else to other editors
		return strings.HasPrefix(e.program, "emacs")
	}
	return false
}

// knownEditor returns the editor that a program is, or one that is told the file alone. What follows a dot
// in the name of the program says how it was built or packed: vim.basic, code.cmd.
func knownEditor(program string) editor {
	name, _, _ := strings.Cut(strings.ToLower(filepath.Base(program)), ".")
	for _, e := range editors {
		if e.program == name {
			return e
		}
	}
	return editor{program: program}
}

// filled returns a command with the file and the line in the places for them. A command without a
// place for the file gets the file as its last argument.
func filled(parts []string, path string, line int) []string {
	fill := strings.NewReplacer("{file}", path, "{line}", strconv.Itoa(max(1, line)))
	all, placed := make([]string, 0, len(parts)+1), false
	for _, part := range parts {
		placed = placed || strings.Contains(part, "{file}")
		all = append(all, fill.Replace(part))
	}
	if !placed {
		all = append(all, path)
	}
	return all
}

// breaksBatch reports whether a program is a batch file for which the name of a file is more than a name.
// Windows has cmd.exe execute batch files, which takes these characters for commands and variables.
func breaksBatch(program, path string, look func(string) (string, error)) bool {
	if found, err := look(program); err == nil {
		program = found // with its extension
	}
	switch strings.ToLower(filepath.Ext(program)) {
	case ".cmd", ".bat":
		return strings.ContainsAny(path, "&|<>^%!\"")
	}
	return false
}

// editFile opens a file in a person's editor at a line, or at no line in particular for 0. It fails
// when nothing is at path, or the editor can't be started.
func editFile(chosen api.Command, path string, line int) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	command := editorFor(chosen, os.Getenv("VISUAL"), path, line, exec.LookPath)
	if command == nil || runtime.GOOS == "windows" && breaksBatch(command[0], path, exec.LookPath) {
		return openOnDesktop(path)
	}
	err := launch(command[0], command[1:]...)
	if err != nil && chosen != "" {
		return fmt.Errorf("%w (the command is the setting window.editor)", err)
	}
	return err
}
