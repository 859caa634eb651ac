package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Prints a script that has the shell complete commands, flags and their values. Packages install it. Without a package:

    source <(blendtray completion bash)      # or zsh
    blendtray completion fish | source`
}

func (c *completionCmd) Run(e *env, ctx *kong.Context) error {
	words := completions(ctx.Model)
	e.writeOut(map[string]func([]completion) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell](words))
	return nil
}

// completion holds what may follow a command.
type completion struct {
	// path holds the words of the command without the program's name; it is empty for the
	// program itself.
	path     []string
	commands []described
	flags    []described
	// values holds the possible values of flags that have a fixed set, by "--name".
	values map[string][]string
	// files is true when names of files may follow.
	files bool
}

type described struct{ name, help string }

func completions(app *kong.Application) (all []completion) {
	var visit func(node *kong.Node, path []string)
	visit = func(node *kong.Node, path []string) {
		c := completion{path: path, values: map[string][]string{}, files: len(node.Positional) > 0}
		for _, child := range node.Children {
			if !child.Hidden {
				c.commands = append(c.commands, described{child.Name, child.Help})
			}
		}
		flags := slices.Clone(node.Flags)
		if len(path) > 0 {
			flags = append(flags, app.Flags...) // --help
		}
		for _, flag := range flags {
			name := "--" + flag.Name
			if flag.Hidden || slices.ContainsFunc(c.flags, func(d described) bool { return d.name == name }) {
				continue
			}
			c.flags = append(c.flags, described{name, flag.Help})
			if flag.Tag.Negatable != "" {
				c.flags = append(c.flags, described{"--no-" + flag.Name, flag.Help})
			}
			if flag.Enum != "" {
				c.values[name] = flag.EnumSlice()
			}
		}
		for _, arg := range node.Positional {
			if arg.Enum != "" {
				for _, v := range arg.EnumSlice() {
					c.commands = append(c.commands, described{v, ""})
				}
				c.files = false
			}
		}
		if slices.Equal(path, []string{"settings"}) {
			c.commands, c.files = append(c.commands, settingsKeys()...), false
		}
		all = append(all, c)
		for _, child := range node.Children {
			if !child.Hidden {
				visit(child, append(slices.Clone(path), child.Name))
			}
		}
	}
	visit(app.Node, nil)
	return all
}

func names(all []described) string {
	var words []string
	for _, d := range all {
		words = append(words, d.name)
	}
	return strings.Join(words, " ")
}

func bashCompletion(all []completion) string {
	var b strings.Builder
	b.WriteString(`# bash completion for blendtray
_blendtray() {
	local cur prev path word words
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD-1]}
	path=
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		--) COMPREPLY=($(compgen -f -- "$cur")); return ;;
		-*) ;;
		*) case "$path $word" in
`)
	for _, c := range all[1:] {
		fmt.Fprintf(&b, "\t\t\t%q) path=%q ;;\n", " "+strings.Join(c.path, " "), " "+strings.Join(c.path, " "))
	}
	b.WriteString("\t\t\tesac ;;\n\t\tesac\n\tdone\n\tcase \"$path $prev\" in\n")
	for _, c := range all {
		for _, flag := range c.flags {
			if values := c.values[flag.name]; len(values) > 0 {
				fmt.Fprintf(&b, "\t%q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n",
					prefixed(c.path)+" "+flag.name, strings.Join(values, " "))
			}
		}
	}
	b.WriteString("\tesac\n\tcase $path in\n")
	for _, c := range all {
		fmt.Fprintf(&b, "\t%q) words=%q ;;\n", prefixed(c.path), strings.TrimSpace(names(c.commands)+" "+names(c.flags)))
	}
	b.WriteString("\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n")
	b.WriteString("\tif [ \"${cur#-}\" = \"$cur\" ]; then COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n}\ncomplete -o filenames -F _blendtray blendtray\n")
	return b.String()
}

func prefixed(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return " " + strings.Join(path, " ")
}

// zshCompletion returns the completion for zsh, which is the bash completion, because zsh can
// read it.
func zshCompletion(all []completion) string {
	return "#compdef blendtray\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(all)
}

func fishCompletion(all []completion) string {
	var b strings.Builder
	b.WriteString("# fish completion for blendtray\n")
	quote := func(text string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ").Replace(text) + "'"
	}
	for _, c := range all {
		when := "__fish_use_subcommand"
		if len(c.path) > 0 {
			var seen []string
			for _, word := range c.path {
				seen = append(seen, "__fish_seen_subcommand_from "+word)
			}
			when = strings.Join(seen, "; and ")
		}
		for _, d := range c.commands {
			fmt.Fprintf(&b, "complete -c blendtray -n %s -f -a %s -d %s\n", quote(when), d.name, quote(d.help))
		}
		for _, d := range c.flags {
			line := fmt.Sprintf("complete -c blendtray -n %s -l %s -d %s", quote(when), strings.TrimPrefix(d.name, "--"), quote(d.help))
			if values := c.values[d.name]; len(values) > 0 {
				line += " -x -a " + quote(strings.Join(values, " "))
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
