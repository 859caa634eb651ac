package app

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// grammar is the command line. Each command is in the file with its name.
type grammar struct {
	Serve    serveCmd    `cmd:"" help:"Keep a Blender warm and run scripts as they are saved."`
	Run      runCmd      `cmd:"" help:"Run a script in the warm Blender and show what it prints."`
	Render   renderCmd   `cmd:"" help:"Render frames of a .blend file."`
	Flamenco flamencoCmd `cmd:"" help:"Work for a manager of Flamenco, Blender's render farm."`
	Session  sessionCmd  `cmd:"" help:"List, save, undo and end sessions: Blenders that keep their state from run to run."`
	Status   statusCmd   `cmd:"" help:"Show the state of the engine, of Blender and of the folders."`
	Runs     runsCmd     `cmd:"" help:"List runs, newest first, or show one of them."`
	Queue    queueCmd    `cmd:"" help:"List what waits, and why; put a run ahead of the others, or cancel it."`
	Cancel   cancelCmd   `cmd:"" help:"Cancel a run that is queued or running."`
	Retry    retryCmd    `cmd:"" help:"Run the code of an earlier run once more."`
	Open     openCmd     `cmd:"" aliases:"open-in-blender" help:"Open what the last run left in a Blender with a window."`
	Start    startCmd    `cmd:"" help:"Start Blender."`
	Stop     stopCmd     `cmd:"" help:"Stop Blender; the engine stays."`
	Restart  restartCmd  `cmd:"" help:"Stop Blender and start it again."`
	Reload   reloadCmd   `cmd:"" help:"Have the engine read its settings again."`
	Settings settingsCmd `cmd:"" help:"Show the settings, or change one."`
	Folder   folderCmd   `cmd:"" help:"Add, change, remove or list the watched folders."`
	API      apiCmd      `cmd:"" name:"api" help:"Tell what Blender's Python API has, and what replaced what is gone."`
	Farm     farmCmd     `cmd:"" help:"Share runs between machines: serve, join, run, map, status and more."`
	Log      logCmd      `cmd:"" help:"Show what Blender printed."`
	MCP      mcpCmd      `cmd:"" name:"mcp" help:"Let an agent work with Blender: a server of the Model Context Protocol."`
	Addon    addonCmd    `cmd:"" help:"Install the add-on into your own Blender."`
	Service  serviceCmd  `cmd:"" help:"Have the system keep the engine running."`
	Doctor   doctorCmd   `cmd:"" help:"Look for what is wrong and say how to mend it."`
	Version  versionCmd  `cmd:"" help:"Show the version."`

	ShowVersion versionFlag `name:"version" short:"V" help:"Show the version, as the command version does."`

	Completion completionCmd `cmd:"" help:"Print a script by which a shell completes commands."`
	Manual     manualCmd     `cmd:"" hidden:"" help:"Print the manual page."`
	Window     windowCmd     `cmd:"" hidden:"" help:"Show the window of the tray that has started this."`
}

// newGrammar returns the grammar with the flags that follow from the declarations of the settings.
func newGrammar() *grammar {
	var g grammar
	g.Folder.Add.Plugins = kong.Plugins{folderFlags()}
	g.Folder.Set.Plugins = kong.Plugins{folderFlags()}
	return &g
}

const description = `Save a Python script, see it run in a warm Blender.

Without a command it is the tray: an icon with a menu, and a window. Where there is no display, "blendtray serve" does the same work.`

// usages holds the usage lines that kong can't find out by itself.
var usages = map[string]string{
	"api":             "blendtray api PATH | WORDS [flags]",
	"render":          "blendtray render SCENE.blend [--frame N | --frames FRAMES] [flags]",
	"run":             "blendtray run FILE | - | -c CODE [flags] [-- ARGS...]",
	"farm run":        "blendtray farm run FILE | - | -c CODE [flags] [-- ARGS...]",
	"farm map":        "blendtray farm map FILE --each LIST [flags] [-- ARGS...]",
	"settings":        "blendtray settings [KEY [VALUE]] [--unset] [--json]",
	"mcp serve":       "blendtray mcp [--http ADDRESS] | install CLIENT | token",
	"session list":    "blendtray session [list] [--json] | open | save | checkpoint | undo | end NAME",
	"queue list":      "blendtray queue [list] [-n N] [--json] | first ID [--line] | cancel ID",
	"runs list":       "blendtray runs [flags] | runs scripts | clear [flags] | show|code|changes|pin|unpin|delete ID",
	"flamenco worker": "blendtray flamenco worker URL [flags]",
}

// printHelp prints help as kong does, with the program's own usage lines.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if node := ctx.Selected(); node != nil && node.DefaultCmd != nil {
		// `runs` alone lists runs, so its help shows the flags of the list.
		ctx.Path = append(ctx.Path, &kong.Path{Command: node.DefaultCmd})
	}
	var buf bytes.Buffer
	out := ctx.Stdout
	ctx.Stdout = &buf
	err := kong.DefaultHelpPrinter(options, ctx)
	ctx.Stdout = out
	if err != nil {
		return err
	}
	text := strings.Replace(buf.String(), "blendtray <command>", "blendtray [<command>]", 1)
	if node := ctx.Selected(); node != nil {
		if usage, ok := usages[node.Path()]; ok {
			_, rest, _ := strings.Cut(text, "\n")
			text = "Usage: " + usage + "\n" + rest
		}
	}
	_, err = fmt.Fprint(out, text)
	return err
}
