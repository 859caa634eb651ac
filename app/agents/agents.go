// Package agents writes Blendtray into the settings of programs for agents, and out of them again, so
// that they start `blendtray mcp`.
//
// [Find] returns such a program, a [Client]. [Client.Install] and [Client.Uninstall] change one entry
// of its file and leave everything else as it is: comments, order, and what other programs wrote. A
// file that can't be read as the program reads it is left alone. The package starts none of these
// programs.
package agents

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"blendtray/app/home"
)

// Entry is how a program for agents starts Blendtray.
type Entry struct {
	// Name is what the program calls it.
	Name    string
	Command string
	Args    []string
	// Env is what is added to the environment.
	Env map[string]string
}

// Client is a program for agents.
type Client struct {
	// Name is what a person types, such as "claude-code", and Title what the program is called.
	Name, Title string
	// After says what a person does so that the program reads its file again.
	After string

	path    func(Places) string // of the user's file
	project string              // the file below the folder of a project, or ""
	format  format
}

// Places are the folders below which programs have their settings.
type Places struct {
	Home string
	// Config is where programs have their settings on this system: ~/.config, ~/Library/Application
	// Support or %AppData%.
	Config string
	Env    func(string) string
}

// FindPlaces returns the folders of this user. It fails where the system does not say where they are.
func FindPlaces() (Places, error) {
	dir, err := os.UserHomeDir()
	if err != nil {
		return Places{}, err
	}
	config, err := os.UserConfigDir()
	return Places{Home: dir, Config: config, Env: os.Getenv}, err
}

// under returns a path below the folder that a variable names, or else below the folder dir.
func (p Places) under(variable, dir string, path ...string) string {
	if named := p.Env(variable); named != "" {
		dir = named
	}
	return filepath.Join(append([]string{dir}, path...)...)
}

// All are the programs that are known.
var All = []Client{
	{
		Name: "claude-desktop", Title: "Claude Desktop", After: "quit it and start it again",
		path:   func(p Places) string { return filepath.Join(p.Config, "Claude", "claude_desktop_config.json") },
		format: jsonFormat{table: "mcpServers"},
	},
	{
		Name: "claude-code", Title: "Claude Code", After: "it holds from its next session on",
		path:    func(p Places) string { return p.under("CLAUDE_CONFIG_DIR", p.Home, ".claude.json") },
		project: ".mcp.json", format: jsonFormat{table: "mcpServers", typed: true},
	},
	{
		Name: "cursor", Title: "Cursor", After: "it reads the file by itself",
		path:    func(p Places) string { return filepath.Join(p.Home, ".cursor", "mcp.json") },
		project: filepath.Join(".cursor", "mcp.json"), format: jsonFormat{table: "mcpServers"},
	},
	{
		Name: "vscode", Title: "VS Code", After: "it reads the file by itself, and asks whether to trust the server",
		path:    func(p Places) string { return filepath.Join(p.Config, "Code", "User", "mcp.json") },
		project: filepath.Join(".vscode", "mcp.json"), format: jsonFormat{table: "servers", typed: true},
	},
	{
		Name: "codex", Title: "Codex", After: "it holds from its next session on",
		path:    func(p Places) string { return p.under("CODEX_HOME", filepath.Join(p.Home, ".codex"), "config.toml") },
		project: filepath.Join(".codex", "config.toml"), format: tomlFormat{},
	},
	{
		Name: "gemini", Title: "Gemini CLI", After: "it holds from its next session on",
		path:    func(p Places) string { return filepath.Join(p.Home, ".gemini", "settings.json") },
		project: filepath.Join(".gemini", "settings.json"), format: jsonFormat{table: "mcpServers"},
	},
}

// Names returns the names of all programs.
func Names() []string {
	names := make([]string, len(All))
	for i, c := range All {
		names[i] = c.Name
	}
	return names
}

// Find returns the program of a name. It fails when there is none.
func Find(name string) (Client, error) {
	for _, c := range All {
		if c.Name == name {
			return c, nil
		}
	}
	return Client{}, fmt.Errorf("there is no client %q here; these there are: %s", name, strings.Join(Names(), ", "))
}

// File returns the file of the user, or with a project, a folder, the file of that project. It fails
// when the program has no settings of projects.
func (c Client) File(places Places, project string) (string, error) {
	switch {
	case project == "":
		return c.path(places), nil
	case c.project == "":
		return "", fmt.Errorf("%s has no settings of a project", c.Title)
	}
	return filepath.Join(project, c.project), nil
}

// Text returns a file that has the entry and nothing else, to be shown.
func (c Client) Text(e Entry) (string, error) {
	text, err := c.format.set(nil, e)
	return string(text), err
}

// format is how a kind of file has its entries. Both functions fail when the text is wrong, and when
// something else than such an entry is in its place.
type format interface {
	// set returns a text with the entry. What else the entry of that name has stays.
	set(text []byte, e Entry) ([]byte, error)
	// remove returns a text without the entry of a name.
	remove(text []byte, name string) ([]byte, error)
}

// Install writes the entry into a file, which is made where it is not there, and reports whether the
// file had to be changed. When it fails, the file is as before.
func (c Client) Install(file string, e Entry) (changed bool, err error) {
	return change(file, func(text []byte) ([]byte, error) { return c.format.set(text, e) })
}

// Uninstall takes the entry of a name out of a file, and reports whether there was one. When it fails,
// the file is as before.
func (c Client) Uninstall(file, name string) (changed bool, err error) {
	return change(file, func(text []byte) ([]byte, error) {
		if len(text) == 0 {
			return text, nil
		}
		return c.format.remove(text, name)
	})
}

// errChanged says that somebody else has changed a file meanwhile.
var errChanged = errors.New("another program has changed it meanwhile; try again")

// attempts is how often a change is made anew when another program changes the file meanwhile, as
// Claude Code does while it runs.
const attempts = 5

func change(file string, edit func([]byte) ([]byte, error)) (changed bool, err error) {
	for range attempts {
		if changed, err = changeOnce(file, edit); !errors.Is(err, errChanged) {
			break
		}
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return changed, nil
}

func changeOnce(file string, edit func([]byte) ([]byte, error)) (bool, error) {
	// A link stays a link: some people have these files in a repository.
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	mode := fs.FileMode(0o600)
	before, err := os.ReadFile(file)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing:
	case err != nil:
		return false, err
	default:
		info, err := os.Stat(file)
		if err != nil {
			return false, err
		}
		mode = info.Mode().Perm()
	}
	after, err := edit(before)
	if err != nil {
		return false, err
	}
	if string(after) == string(before) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return false, err
	}
	return true, home.Replace(file, after, mode, func() error {
		now, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && missing:
			return nil
		case err != nil:
			return err
		case missing || string(now) != string(before):
			return errChanged
		}
		return nil
	})
}
