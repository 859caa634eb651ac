// Package app is the program: its command line, its settings, the places of its files on disk,
// and the part that each of its processes plays.
//
// The package imports all other packages and joins them; only main imports it. A command sends
// its requests to an engine through control, also in the process that holds the engine, so that
// the command line can do nothing that another client can't. Everything that is printed follows
// the rules at the top of terminal.go.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
)

// Main is the program: it does what the arguments of the process say and returns the exit code.
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
	roleTray    role = iota // without arguments: a double click starts the tray
	roleCommand             // a single command; serve is a command too
)

func roleOf(args []string) role {
	if len(args) == 0 {
		return roleTray
	}
	return roleCommand
}

// env is the environment of a command.
type env struct {
	context.Context
	stdin *os.File
	*terminal
	// scriptArgs holds the arguments after "--".
	scriptArgs []string
}

// client returns a client of the engine of this user and home. It fails when the home has no
// address.
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
		return err // a fault in the grammar, which every test would show
	}
	// The arguments of a script are not the program's to parse, and only `run` takes them.
	if i := slices.Index(args, "--"); i >= 0 {
		args, e.scriptArgs = args[:i], args[i+1:]
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return usageError(err, args)
	}
	for _, flag := range ctx.Flags() {
		// A variable of a script that is not set must not change where a run goes.
		given := slices.Contains([]string{"session", "blender", "output", "scene", "client", "key"}, flag.Name) && flag.Set
		if given && flag.Target.Kind() == reflect.String && flag.Target.String() == "" {
			return fault.New(fault.Usage, "give it a value, or leave it out", "--%s is empty", flag.Name)
		}
	}
	if e.scriptArgs != nil && !passesOn(ctx.Command()) {
		return fault.New(fault.Usage, "only `blendtray run`, `farm run` and `farm map` pass arguments on", "nothing can follow -- here")
	}
	return ctx.Run(e)
}

// passesOn reports whether a command passes what follows -- on to a script.
func passesOn(command string) bool {
	return slices.ContainsFunc([]string{"run", "farm run", "farm map"}, func(takes string) bool {
		return command == takes || strings.HasPrefix(command, takes+" ")
	})
}

// valued returns the flag that takes no value and after which a word such as true or off is written, or nil.
func valued(flags []*kong.Flag, args []string) *kong.Flag {
	words := []string{"true", "false", "on", "off", "yes", "no", "1", "0"}
	for i, arg := range args[:max(0, len(args)-1)] {
		for _, flag := range flags {
			if flag.IsBool() && arg == "--"+flag.Name && slices.Contains(words, strings.ToLower(args[i+1])) {
				return flag
			}
		}
	}
	return nil
}

// usageError returns kong's error about the command line in the program's words.
func usageError(err error, args []string) error {
	hint := "`blendtray --help` lists the commands"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			if flag := valued(parse.Context.Flags(), args); flag != nil {
				instead := fmt.Sprintf("write --%s, or leave it out", flag.Name)
				if flag.Tag.Negatable != "" {
					instead = fmt.Sprintf("--%s turns it on, and --no-%s off", flag.Name, flag.Name)
				}
				return fault.New(fault.Usage, instead, "--%s takes no value", flag.Name)
			}
			hint = "`" + strings.TrimSuffix(node.FullPath(), " list") + " --help` explains the command"
		}
	}
	return fault.New(fault.Usage, hint, "%s", strings.TrimSuffix(err.Error(), "."))
}
