package app

import (
	"fmt"
	"strings"

	"blendtray/api"
	"blendtray/app/fault"
)

type apiCmd struct {
	Question []string `arg:"" name:"path or words" help:"A path such as Object.location, bpy.ops.mesh.primitive_cube_add or bpy.data.objects[0].data; or words."`
	Blender  string   `placeholder:"NAME" help:"The Blender: a name of the settings, or a version such as 4.5."`
	Number   int      `name:"number" short:"n" default:"20" placeholder:"N" help:"How many entries, and members of an entry, at most (default: 20)."`
	JSON     bool     `name:"json" help:"Print JSON."`
}

func (apiCmd) Help() string {
	return `Tells what Blender's Python API has, from that Blender's own documentation, also while every Blender is busy. Nothing of a path is executed.

    blendtray api Object.location
    blendtray api 'bpy.context.object.data.vertices'
    blendtray api bevel edges
    blendtray api bpy.context.scene.objects.link    # gone: says what to write instead

The first question about a Blender takes some seconds: another Blender writes its API down, once.`
}

func (c *apiCmd) Run(e *env) error {
	if c.Number < 1 || c.Number > api.MaxReference {
		return fault.New(fault.Usage, "", "-n is a number from 1 to %d", api.MaxReference)
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	question := strings.TrimSpace(strings.Join(c.Question, " "))
	q := api.ReferenceQuery{Blender: c.Blender, Path: question, Max: c.Number}
	if looksLikeWords(c.Question) {
		q.Path, q.Words = "", question
	}
	found, err := client.API(e, q)
	// One word may be the name of a class, or what somebody looks for.
	if err == nil && q.Path != "" && len(found.Entries)+len(found.Replaced) == 0 && !strings.ContainsAny(question, ".[(=") {
		q.Path, q.Words = "", question
		found, err = client.API(e, q)
	}
	switch {
	case err != nil:
		return err
	case c.JSON:
		return e.printJSON(found)
	}
	e.printReference(found)
	if len(found.Entries)+len(found.Replaced) == 0 {
		return fault.New(fault.Failed, "ask by words, such as `blendtray api bevel edges`", "Blender %s has nothing like %s", found.Version, oneLine(question))
	}
	return nil
}

// looksLikeWords reports whether arguments are words and no path of Python.
func looksLikeWords(args []string) bool {
	text := strings.Join(args, " ")
	return strings.Contains(strings.TrimSpace(text), " ") && !strings.ContainsAny(text, "[(=")
}

func (e *env) printReference(found api.Reference) {
	for _, r := range found.Replaced {
		e.printf("%s: since Blender %s, write %s\n", clean(r.Old), r.Since, clean(r.New))
		if r.Note != "" {
			e.printf("    %s\n", clean(r.Note))
		}
		for _, path := range r.Paths {
			e.printf("    see %s\n", clean(path))
		}
	}
	for _, entry := range found.Entries {
		e.printf("%s\n", clean(titleOf(entry)))
		for line := range strings.SplitSeq(entry.Doc, "\n") {
			if line != "" {
				e.printf("    %s\n", clean(line))
			}
		}
		if len(entry.Inherits) > 0 {
			e.printf("    has the members of %s, too\n", clean(strings.Join(entry.Inherits, ", ")))
		}
		for _, m := range entry.Members {
			e.printf("  %s\n", clean(strings.TrimSpace(titleOf(m)+"  "+m.Doc)))
		}
		if entry.MoreMembers > 0 {
			e.note("and %d more members; `blendtray api -n %d …` lists them", entry.MoreMembers, len(entry.Members)+entry.MoreMembers)
		}
	}
	if more := found.Total - len(found.Entries); more > 0 {
		e.note("and %d more", more)
	}
	if len(found.Similar) > 0 {
		e.printf("perhaps: %s\n", clean(strings.Join(found.Similar, ", ")))
	}
}

// titleOf returns a line about an entry: its path, and its type or how it is called.
func titleOf(entry api.ReferenceEntry) string {
	switch {
	case entry.Type == "":
		return entry.Path + "  (" + entry.Kind + ")"
	case entry.Kind == "class":
		return fmt.Sprintf("%s  (class, %s)", entry.Path, entry.Type)
	case strings.Contains(entry.Type, "("):
		if at := strings.LastIndexByte(entry.Path, '.'); at >= 0 && !strings.HasPrefix(entry.Type, entry.Path) && entry.Kind != "property" {
			return entry.Path[:at+1] + entry.Type
		}
		if entry.Kind != "property" {
			return entry.Type
		}
	}
	return entry.Path + ": " + entry.Type
}
