// Package app is the program: its command line, its settings, where it keeps things on disk,
// and which part a process of it plays.
//
// It knows every other room and joins them; nothing imports it but main. What a command does
// to an engine goes through control, also in the process that holds the engine, so that the
// command line can do nothing that another client could not. All that is printed follows the
// rules at the top of terminal.go.
package app

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
)

// Main is the program: it does what the arguments of the process say and returns the exit
// code.
func Main() int {
	e := &env{
		Context:  context.Background(),
		stdin:    os.Stdin,
		terminal: newTerminal(os.Stdout, os.Stderr, os.Getenv),
	}
	args := os.Args[1:]
	switch roleOf(args) {
	case roleTray:
		return e.exit(runTray(e))
	default:
		return e.exit(command(e, args))
	}
}

// role is the part that a process plays.
type role int

const (
	roleTray    role = iota // no arguments: what a double click starts
	roleCommand             // one command; serve is one of them
)

func roleOf(args []string) role {
	if len(args) == 0 {
		return roleTray
	}
	return roleCommand
}

// env is what a command has around it.
type env struct {
	context.Context
	stdin *os.File
	*terminal
	// scriptArgs is what stood after "--".
	scriptArgs []string
}

// client is a client of the engine of this user and home.
func (e *env) client() (*control.Client, error) {
	paths, err := home.Find()
	if err != nil {
		return nil, err
	}
	address, err := home.EngineAddress(paths)
	if err != nil {
		return nil, err
	}
	return control.NewClient(address), nil
}

// command parses the arguments and does what they say.
func command(e *env, args []string) error {
	parser, err := kong.New(
		newGrammar(),
		kong.Name("blendtray"),
		kong.Description(description),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 96}),
		kong.Writers(e.out, e.err),
		kong.Bind(e),
	)
	if err != nil {
		return err // a fault in the grammar, which any test would show
	}
	// What a script is given is not ours to parse, and only `run` gives anything.
	if i := slices.Index(args, "--"); i >= 0 {
		args, e.scriptArgs = args[:i], args[i+1:]
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return usageError(err)
	}
	if name, _, _ := strings.Cut(ctx.Command(), " "); e.scriptArgs != nil && name != "run" {
		return fault.New(fault.Usage, "only `blendtray run` passes arguments on", "nothing can follow -- here")
	}
	return ctx.Run(e)
}

// usageError words what kong found wrong with the command line.
func usageError(err error) error {
	hint := "`blendtray --help` lists the commands"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			hint = "`" + strings.TrimSuffix(node.FullPath(), " list") + " --help` explains the command"
		}
	}
	return fault.New(fault.Usage, hint, "%s", strings.TrimSuffix(err.Error(), "."))
}
