package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"blendtray/api"
)

// text is a text of the code that is to be in each catalogue.
type text struct {
	key string
	// english is the text where it is not the key, as in lang.X.
	english string
	plural  bool
	// fields are those that the code gives the text's template.
	fields []string
	where  string // a place in the code
}

// found is what the code has.
type found struct {
	texts  map[string]text
	faults []string // what a person has to mend, each with its place
	// untranslated counts the texts of a file that a person sees and that are in no catalogue.
	untranslated map[string]int
	later        []string
}

// later are files whose texts do not come from the catalogues yet. A file without such texts must
// leave the list.
var later []string

// notWords are texts that are the same in each language.
var notWords = []string{
	"Blendtray", "Blender", "Cycles", "Eevee", "Workbench", // names of programs and engines
	"Aa",                            // the sign of the button for upper and lower case
	"bpy.data.objects", "result = ", // Python
	"Blendtray ", "fyne.io/fyne/v2",
}

// computed are the functions that may give lang.L a text that is no literal.
var computed = map[string]string{
	"tray/words.go:couldNot":   "the texts begin with the literals of try and deed",
	"tray/shown.go:translated": "the texts are the literals of english, and the labels and helps in api.Settings",
}

// shows are functions and methods that show their texts, by name.
var shows = []string{
	"NewLabel", "NewLabelWithStyle", "NewButton", "NewButtonWithIcon", "NewCheck", "NewRadioGroup", "NewSelect", "NewCard",
	"NewHyperlink", "NewFormItem", "NewAccordionItem", "NewRichTextWithText", "NewRichTextFromMarkdown",
	"NewTabItem", "NewTabItemWithIcon", "NewMenu", "NewMenuItem", "NewMenuItemWithIcon", "NewText",
	"NewConfirm", "NewInformation", "NewCustom", "NewCustomConfirm", "NewForm", "ShowConfirm", "ShowInformation", "ShowCustom",
	"SetText", "SetPlaceHolder", "SetTitle", "SetConfirmText", "SetDismissText", "SetTooltip",
	"note", "noteRestart", "say", "confirm", "setNote",
}

// showing are fields that show their texts.
var showing = []string{"Text", "Label", "PlaceHolder", "Title", "Subtitle"}

// foreign are fields that hold what others have written, such as the name of a file, and safe are the
// functions that make such a text harmless; see names.go of the tray.
var (
	foreign = []string{"Script", "Path", "Reason", "Message", "Trouble", "Fixed"}
	safe    = []string{"nameInLine", "NameInLine", "plain", "revealed", "oneLine", "nameOf", "because", "reasonOf", "cantStart", "runLine", "headline", "why"}
)

// collect reads the code of the tray and the window below root, the module's folder. later are the files
// whose texts need not come from the catalogues yet.
func collect(root fs.FS, later []string) (found, error) {
	got := found{texts: map[string]text{}, untranslated: map[string]int{}, later: later}
	err := fs.WalkDir(root, "tray", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "tray/translations" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		return got.read(name, source)
	})
	if err != nil {
		return found{}, err
	}
	for _, s := range settings(reflect.TypeFor[api.Settings]()) {
		got.add(s)
	}
	return got, nil
}

// read collects the texts of a file.
func (f *found) read(name string, source []byte) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	r := reader{found: f, name: name, files: files}
	for _, d := range file.Decls {
		r.function, r.data = "", map[string]*ast.CompositeLit{}
		if fn, ok := d.(*ast.FuncDecl); ok {
			r.function = fn.Name.Name
		}
		ast.Inspect(d, r.visit)
	}
	return nil
}

// reader reads one file.
type reader struct {
	*found
	name     string
	files    *token.FileSet
	function string // that is being read
	// data has the literals of the function that a variable stands for.
	data map[string]*ast.CompositeLit
}

func (r *reader) place(n ast.Node) string {
	return fmt.Sprintf("%s:%d", r.name, r.files.Position(n.Pos()).Line)
}

func (r *reader) fault(n ast.Node, format string, args ...any) {
	r.faults = append(r.faults, r.place(n)+": "+fmt.Sprintf(format, args...))
}

// visit reads a node, and what is in it.
func (r *reader) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		r.call(n)
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && slices.Contains(showing, key.Name) {
			r.shown(n.Value)
			r.harmless(n.Value)
		}
	case *ast.AssignStmt:
		for i, to := range n.Lhs {
			if name, ok := to.(*ast.Ident); ok && i < len(n.Rhs) {
				if value, is := n.Rhs[i].(*ast.CompositeLit); is {
					r.data[name.Name] = value
				}
			}
			if field, ok := to.(*ast.SelectorExpr); ok && slices.Contains(showing, field.Sel.Name) && i < len(n.Rhs) {
				r.shown(n.Rhs[i])
				r.harmless(n.Rhs[i])
			}
		}
	}
	return true
}

// call reads a call that takes a text.
func (r *reader) call(call *ast.CallExpr) {
	pkg, name := called(call)
	switch {
	case pkg == "lang":
		r.localize(name, call)
	case pkg == "" && name == "english":
		r.literal(call, "")
	case name == "try" || pkg == "" && name == "deed":
		if _, is := literal(call.Args[0]); is {
			r.literal(call, "Could not ")
		}
	case slices.Contains(shows, name):
		for _, arg := range call.Args {
			r.shown(arg)
			r.harmless(arg)
		}
	}
}

// literal adds the first argument of a call, after some words.
func (r *reader) literal(call *ast.CallExpr, before string) {
	key, is := literal(call.Args[0])
	if !is {
		r.fault(call, "the text is no literal, so it can't be found")
		return
	}
	r.add(text{key: before + key, where: r.place(call)})
}

// localize reads a call of a function of lang.
func (r *reader) localize(name string, call *ast.CallExpr) {
	kinds := map[string]struct {
		keyed, plural bool
	}{
		"L": {}, "Localize": {}, "N": {plural: true}, "LocalizePlural": {plural: true},
		"X": {keyed: true}, "LocalizeKey": {keyed: true}, "XN": {true, true}, "LocalizePluralKey": {true, true},
	}
	kind, is := kinds[name]
	if !is {
		return
	}
	t := text{plural: kind.plural, where: r.place(call)}
	args := call.Args
	texts := []*string{&t.key}
	if kind.keyed {
		texts = append(texts, &t.english)
	}
	for _, to := range texts {
		value, is := literal(args[0])
		if !is {
			if computed[r.name+":"+r.function] == "" {
				r.fault(call, "the text for lang.%s is no literal, so it can't be found", name)
			}
			return
		}
		*to, args = value, args[1:]
	}
	if kind.plural {
		args = args[1:] // the number
	}
	if len(args) > 0 {
		data, is := args[0].(*ast.CompositeLit)
		if name, variable := args[0].(*ast.Ident); variable {
			data, is = r.data[name.Name], r.data[name.Name] != nil
		}
		if !is {
			r.fault(call, "the data for %q is no literal, so its fields can't be checked", t.key)
			return
		}
		for _, e := range data.Elts {
			if pair, is := e.(*ast.KeyValueExpr); is {
				field, _ := literal(pair.Key)
				t.fields = append(t.fields, field)
				r.harmless(pair.Value)
			}
		}
	}
	r.add(t)
}

// shown counts the literals of an expression that a person sees and that come from no catalogue.
func (r *reader) shown(e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			pkg, name := called(n)
			return pkg != "lang" && name != "english" && name != "with" && !isPlain(name)
		case *ast.FuncLit, *ast.IndexExpr, *ast.SelectorExpr:
			return false // what a click does; a key of a map
		case *ast.BinaryExpr:
			return n.Op == token.ADD // and no comparison
		case *ast.BasicLit:
			if value, is := literal(n); is && hasWords(value) && !slices.Contains(notWords, value) {
				r.untranslated[r.name]++
				if !slices.Contains(r.later, r.name) {
					r.fault(n, "%q is shown and comes from no catalogue; write lang.L(%q)", value, value)
				}
			}
		}
		return true
	})
}

// harmless finds what others have written in an expression that a person sees.
func (r *reader) harmless(e ast.Expr) {
	if slices.Contains(r.later, r.name) {
		return
	}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			pkg, name := called(n)
			if pkg == "filepath" && name == "Base" || name == "Error" && len(n.Args) == 0 {
				r.fault(n, "others have written what %s.%s returns; show it by nameInLine, plain, revealed or oneLine", pkg, name)
				return false
			}
			return pkg != "lang" && !slices.Contains(safe, name)
		case *ast.FuncLit, *ast.IndexExpr:
			return false // what a click does; the key of a map
		case *ast.BinaryExpr:
			return n.Op == token.ADD // and no comparison
		case *ast.SelectorExpr:
			if slices.Contains(foreign, n.Sel.Name) {
				r.fault(n, "others have written the field %s; show it by nameInLine, plain, revealed or oneLine", n.Sel.Name)
			}
		}
		return true
	})
}

// isPlain reports whether a function's arguments are not what it shows.
func isPlain(name string) bool {
	return slices.Contains([]string{"Format", "Join", "TrimPrefix"}, name)
}

// add adds a text. The same text may be in several places.
func (f *found) add(t text) {
	if t.english == "" {
		t.english = t.key
	}
	before, there := f.texts[t.key]
	if there && (before.plural != t.plural || before.english != t.english) {
		f.faults = append(f.faults, fmt.Sprintf("%s: %q is another text at %s", t.where, t.key, before.where))
		return
	}
	if there { // what both give
		t.fields = slices.DeleteFunc(t.fields, func(field string) bool { return !slices.Contains(before.fields, field) })
	}
	f.texts[t.key] = t
}

// settings returns the texts of the settings that the window shows: of a setting its label and what it
// does, and of a table what the tags title and about say, if it has them.
func settings(of reflect.Type) []text {
	var all []text
	for i := range of.NumField() {
		field := of.Field(i)
		inner := field.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			inner = inner.Elem()
		}
		tags := []string{"title", "about"}
		if field.Tag.Get("label") != "" {
			tags = []string{"label", "help"}
		}
		for _, tag := range tags {
			if key := field.Tag.Get(tag); key != "" {
				all = append(all, text{key: key, where: "api.Settings, " + field.Tag.Get("toml")})
			}
		}
		if field.Tag.Get("help") == "" && inner.Kind() == reflect.Struct {
			all = append(all, settings(inner)...)
		}
	}
	return all
}

// called returns the package and the name of what is called. pkg is "" for a function without one, and
// "." for a method.
func called(call *ast.CallExpr) (pkg, name string) {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		return "", fn.Name
	case *ast.SelectorExpr:
		if x, is := fn.X.(*ast.Ident); is {
			return x.Name, fn.Sel.Name
		}
		return ".", fn.Sel.Name
	}
	return "", ""
}

// literal returns the value of a string that is written in the code, perhaps as a sum.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			value, err := strconv.Unquote(e.Value)
			return value, err == nil
		}
	case *ast.BinaryExpr:
		first, is := literal(e.X)
		second, too := literal(e.Y)
		return first + second, e.Op == token.ADD && is && too
	}
	return "", false
}

// verb matches what fmt replaces, and letters two letters in a row, which no sign or unit is.
var (
	verb    = regexp.MustCompile(`%[-+# 0-9.]*[a-z]`)
	letters = regexp.MustCompile(`\pL\pL`)
	field   = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)
)

// hasWords reports whether a text has words.
func hasWords(value string) bool { return letters.MatchString(verb.ReplaceAllString(value, "")) }

// fieldsOf returns the fields of a template, sorted.
func fieldsOf(template string) []string {
	all := map[string]bool{}
	for _, m := range field.FindAllStringSubmatch(template, -1) {
		all[m[1]] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// sorted returns the texts by their keys.
func (f *found) sorted() []text {
	return slices.SortedFunc(maps.Values(f.texts), func(a, b text) int { return cmp.Compare(a.key, b.key) })
}
