package app

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// manualCmd prints the manual page, for packages. The page is made from the grammar, so that it
// says what the program does.
type manualCmd struct{}

func (manualCmd) Run(e *env, ctx *kong.Context) error {
	e.writeOut(manualPage(ctx.Model))
	return nil
}

// manualPage returns the program's page of section 1, in the language of man(7).
func manualPage(app *kong.Application) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH BLENDTRAY 1 \"\" \"Blendtray %s\" \"User Commands\"\n", strings.TrimSuffix(version, "-dev"))
	b.WriteString(".SH NAME\nblendtray \\- runs Python scripts in a warm Blender as they are saved\n")
	b.WriteString(".SH SYNOPSIS\n.B blendtray\n.RI [ command ]\n.RI [ flags ]\n.RI [ arguments ]\n")
	b.WriteString(".SH DESCRIPTION\n")
	b.WriteString(roff("Keeps a headless Blender warm, watches folders, and runs a Python script in that Blender the moment it is saved. Without a command it is a tray icon with a window; where there is no display, `blendtray serve` does the same work.") + "\n")
	b.WriteString(".SH COMMANDS\n")
	for _, node := range app.Leaves(true) {
		commandManual(&b, node)
	}
	b.WriteString(".SH FILES\n")
	for _, f := range [][2]string{
		{"~/.config/blendtray/settings.toml", "The settings: the folders that are watched, Blender, time limits."},
		{"~/.local/share/blendtray/runs.db", "What ran, and what came of it."},
		{"~/.local/share/blendtray/ports/default.json", "The port and the token of the Blender that keeps its state, while it runs."},
		{"~/.local/state/blendtray/log", "What the engine and Blender printed."},
	} {
		fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(f[0]), roff(f[1]))
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n.B BLENDTRAY_HOME\nThe folder below which all files lie instead.\n")
	b.WriteString(".TP\n.B BLENDTRAY_BLENDER_PATH\nThe Blender to use. Every setting that is no list has such a variable.\n")
	b.WriteString(".SH SEE ALSO\n.BR blender (1)\n")
	return b.String()
}

// commandManual writes the manual of a command.
func commandManual(b *strings.Builder, node *kong.Node) {
	usage, ok := usages[node.Path()]
	if !ok {
		usage = "blendtray " + strings.TrimPrefix(node.Summary(), "blendtray ")
	}
	fmt.Fprintf(b, ".SS %s\n", roff(usage))
	text := node.Help
	if node.Detail != "" {
		text = node.Detail
	}
	if node.Parent != nil && node.Parent.Detail != "" && node.Detail == "" {
		text = node.Help
	}
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		code, isCode := strings.CutPrefix(line, "    ")
		if isCode != literal {
			literal = isCode
			b.WriteString(map[bool]string{true: ".PP\n.RS 4\n.nf\n", false: ".fi\n.RE\n.PP\n"}[literal])
		}
		switch {
		case isCode:
			b.WriteString(roff(code) + "\n")
		case line == "":
			b.WriteString(".PP\n")
		default:
			b.WriteString(roff(line) + "\n")
		}
	}
	if literal {
		b.WriteString(".fi\n.RE\n")
	}
	for _, flag := range node.Flags {
		if flag.Hidden {
			continue
		}
		name := `\fB` + roff("--"+flag.Name) + `\fR`
		if flag.Short != 0 {
			name = `\fB` + roff("-"+string(flag.Short)) + `\fR, ` + name
		}
		if !flag.IsBool() {
			name += `=\fI` + roff(flag.FormatPlaceHolder()) + `\fR`
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", name, roff(flag.Help))
	}
}

// roff returns a line of text in the form of a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
