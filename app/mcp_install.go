package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"blendtray/app/agents"
	"blendtray/app/fault"
	"blendtray/app/home"
)

type mcpInstallCmd struct {
	Client    string `arg:"" placeholder:"CLIENT" help:"claude-desktop, claude-code, cursor, vscode, codex or gemini."`
	Project   string `placeholder:"DIR" type:"path" help:"Write into the settings of the project in this folder, which others may share, and not into yours."`
	Name      string `default:"blendtray" help:"What the client calls it."`
	Print     bool   `help:"Print what would be written, and change nothing."`
	Uninstall bool   `help:"Take the entry out again."`
}

func (mcpInstallCmd) Help() string {
	return `Writes into the settings of a program for agents that it starts "blendtray mcp". Everything else in its file stays as it is, with comments and order, and so does what you have added to the entry. A file that is wrong is left alone.

    blendtray mcp install claude-code
    blendtray mcp install vscode --project ~/film
    blendtray mcp install codex --print
    blendtray mcp install cursor --uninstall`
}

// agentName is what every client can call a server.
var agentName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Run writes the entry, prints it or takes it out.
func (c *mcpInstallCmd) Run(e *env) error {
	client, err := agents.Find(c.Client)
	if err != nil {
		return fault.New(fault.Usage, "`blendtray mcp install --help` explains it; other clients start `blendtray mcp`, too", "%w", err)
	}
	if !agentName.MatchString(c.Name) {
		return fault.New(fault.Usage, "", "--name: %q is no name: 1 to 64 letters, digits, - and _", c.Name)
	}
	places, err := agents.FindPlaces()
	if err != nil {
		return err
	}
	if c.Project != "" {
		if info, err := os.Stat(c.Project); err != nil || !info.IsDir() {
			return fault.New(fault.Usage, "", "there is no folder %s", c.Project)
		}
	}
	file, err := client.File(places, c.Project)
	if err != nil {
		return fault.New(fault.Usage, "leave --project out", "%w", err)
	}
	entry, err := agentEntry(c.Name, c.Project != "")
	if err != nil {
		return err
	}
	switch {
	case c.Print && !c.Uninstall:
		text, err := client.Text(entry)
		if err != nil {
			return err
		}
		e.note("for %s", file)
		e.printf("%s", text)
		return nil
	case c.Uninstall:
		return c.uninstall(e, client, file)
	}
	changed, err := client.Install(file, entry)
	if err != nil {
		return notWritten(client, err)
	}
	if !changed {
		e.printf("%s has it already: %s\n", client.Title, file)
		return nil
	}
	e.printf("%s starts `%s` now: %s\n", client.Title, strings.Join(append([]string{entry.Command}, entry.Args...), " "), file)
	e.note("%s: %s", client.Title, client.After)
	return nil
}

func (c *mcpInstallCmd) uninstall(e *env, client agents.Client, file string) error {
	if c.Print {
		return fault.New(fault.Usage, "leave one of them out", "--print and --uninstall exclude each other")
	}
	changed, err := client.Uninstall(file, c.Name)
	if err != nil {
		return notWritten(client, err)
	}
	if changed {
		e.printf("taken out of %s: %s\n", client.Title, file)
	} else {
		e.printf("%s has no %s: %s\n", client.Title, c.Name, file)
	}
	return nil
}

// notWritten returns the error for a file that could not be changed.
func notWritten(client agents.Client, err error) error {
	return fault.New(fault.Failed, fmt.Sprintf("mend the file, or write into it by hand what `blendtray mcp install %s --print` prints", client.Name), "%w", err)
}

// agentEntry returns how a program for agents starts this program. Settings that people share name no
// path of this machine where the name of the program leads to it.
func agentEntry(name string, shared bool) (agents.Entry, error) {
	program, err := home.ThisProgram()
	if err != nil {
		return agents.Entry{}, err
	}
	// Unlike the program that the system starts, this one may have a console: the agent speaks with it
	// over its standard input and output.
	path, err := os.Executable()
	if err != nil {
		return agents.Entry{}, err
	}
	entry := agents.Entry{Name: name, Command: path, Args: []string{"mcp"}}
	if shared && onPath(path) {
		entry.Command = filepath.Base(path)
	}
	if program.Home != "" && !shared { // others have another home
		entry.Env = map[string]string{"BLENDTRAY_HOME": program.Home}
	}
	return entry, nil
}

// onPath reports whether the name of a program leads to it by the PATH.
func onPath(path string) bool {
	found, err := exec.LookPath(filepath.Base(path))
	if err != nil {
		return false
	}
	a, err := os.Stat(found)
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
