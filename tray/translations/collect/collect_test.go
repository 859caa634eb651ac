package main

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/text/language"

	"blendtray/tray/translations"
)

// root is the checkout.
const root = "../../.."

// collected reads the code of the checkout.
func collected(t *testing.T) found {
	t.Helper()
	got, err := collect(os.DirFS(root), later)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.texts) < 100 {
		t.Fatalf("it finds %d texts; it reads the wrong files", len(got.texts))
	}
	return got
}

func TestEveryTextThatAPersonSeesComesFromTheCatalogue(t *testing.T) {
	t.Parallel()
	got := collected(t)
	for _, fault := range got.faults {
		t.Error(fault)
	}
	for _, file := range later {
		if _, err := os.Stat(root + "/" + file); err == nil && got.untranslated[file] == 0 {
			t.Errorf("all texts of %s come from the catalogue; take the file from the list of those that are left for later", file)
		}
	}
}

func TestEachCatalogueHasTheTextsOfTheCode(t *testing.T) {
	t.Parallel()
	got := collected(t)
	for _, l := range translations.Languages {
		data, err := translations.Catalogues.ReadFile(l.Name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		c, err := parse(data)
		if err != nil {
			t.Fatalf("%s: %v", l.Name, err)
		}
		for _, fault := range c.check(l.Name, l.Tag, got.texts) {
			t.Errorf("%s (go generate ./tray adds what is new and removes what is gone)", fault)
		}
		if c.String() != string(data) {
			t.Errorf("%s is not written as go generate ./tray writes it", l.Name)
		}
	}
	files, err := fs.Glob(translations.Catalogues, "*.json")
	if err != nil || len(files) != len(translations.Languages) {
		t.Errorf("there are the catalogues %v for %d languages: %v", files, len(translations.Languages), err)
	}
}

// What is prepared is in no catalogue yet, and has each language.
func TestWhatIsPreparedIsWhole(t *testing.T) {
	t.Parallel()
	prepared, err := read(root + "/" + preparedFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range translations.Languages[1:] {
		if n := len(of(prepared, l.Name)); n != len(prepared) {
			t.Errorf("%d of %d prepared texts are in the language %s", n, len(prepared), l.Name)
		}
		c := of(prepared, l.Name)
		for key := range c {
			if got := fieldsOf(c.forms(key)["other"]); !slices.Equal(got, fieldsOf(key)) {
				t.Errorf("%s: the text for %q has the places %v", l.Name, key, got)
			}
		}
	}
}

// file is a file of the tray with a body of a function.
func file(body string) fs.FS {
	return fstest.MapFS{
		"tray/a.go":           {Data: []byte("package tray\n\nfunc show(name string, n int) {\n" + body + "\n}\n")},
		"tray/textpane/b.go":  {Data: []byte("package textpane\n")},
		"tray/a_test.go":      {Data: []byte("package tray\n\nvar l = widget.NewLabel(\"of a test\")\n")},
		"tray/old.go":         {Data: []byte("package tray\n\nvar l = widget.NewLabel(\"of another day\")\n")},
		"tray/inner/other.go": {Data: []byte("package inner\n")},
	}
}

func TestTextsAreFoundWhereTheyAreShown(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`l := widget.NewLabel("Some words")`:                                       `"Some words" is shown`,
		`b.SetText("Some words: " + name)`:                                         `"Some words: " is shown`,
		`b.SetText(fmt.Sprintf("%d words", n))`:                                    `"%d words" is shown`,
		`dialog.NewConfirm(lang.L("Sure?"), "It is gone then.", do, w)`:            `"It is gone then." is shown`,
		`label.Text = "Some words"`:                                                `"Some words" is shown`,
		`it := Item{Label: "Some words"}`:                                          `"Some words" is shown`,
		`w.note(path + " was run once.")`:                                          `" was run once." is shown`,
		`l := widget.NewLabel(lang.L(name))`:                                       `is no literal`,
		`l := widget.NewLabel(lang.N(name, n))`:                                    `is no literal`,
		`l := widget.NewLabel(lang.L("{{.A}}", data))`:                             `data for "{{.A}}" is no literal`,
		`a, b := lang.L("word"), lang.N("word", n)`:                                `another text`,
		`l := widget.NewLabel(r.Script)`:                                           `the field Script`,
		`l := widget.NewLabel(lang.L("{{.A}}", with{"A": filepath.Base(name)}))`:   `filepath.Base`,
		`b.SetText(lang.L("Some words") + err.Error())`:                            `err.Error`,
		`l := widget.NewLabel(oneLine(filepath.Base(r.Script), n))`:                "",
		`l := widget.NewLabel(nameOf(r.Script))`:                                   "",
		`l := widget.NewLabel(nameInLine(r.Script, n) + api.NameInLine(r.Path))`:   "",
		`d := with{"A": n}; l := widget.NewLabel(lang.L("{{.A}}", d))`:             "",
		`l := widget.NewLabel(lang.L("Some words"))`:                               "",
		`l := widget.NewLabel("")`:                                                 "",
		`l := widget.NewLabel("Blender")`:                                          "",
		`l := widget.NewLabel(fmt.Sprintf("%d:%02d", n, n))`:                       "",
		`l := widget.NewLabel(lang.L("{{.A}}", map[string]any{"A": "of others"}))`: "",
		`b := widget.NewButton("", func() { w.open("the code") })`:                 "",
		`if label.Text == "Some words" { label.SetText(values["Some words"]) }`:    "",
		`s.try("open it", do)`:                                                     "",
		`c := english("Some " + "words")`:                                          "",
	} {
		got, err := collect(file(body), []string{"tray/old.go"})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		faults := strings.Join(got.faults, "\n")
		if want == "" && faults != "" || !strings.Contains(faults, want) || len(got.faults) > 1 {
			t.Errorf("%s: %q, want %q", body, faults, want)
		}
		if got.untranslated["tray/old.go"] != 1 {
			t.Errorf("a file that is left for later has %d texts", got.untranslated["tray/old.go"])
		}
	}
}

func TestTheKindsOfTextsAreCollected(t *testing.T) {
	t.Parallel()
	got, err := collect(file(`
		use(lang.L("One"), lang.X("key", "Two"), lang.N("{{.Count}} of {{.Name}}", n, with{"Count": n, "Name": name}))
		use(lang.L("Sum " + "of two"), english("Three"), deed("stop it"))
		s.try("open it", do)
		s.try(what, do)`), []string{"tray/old.go"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]text{
		"One": {english: "One"}, "key": {english: "Two"}, "Sum of two": {english: "Sum of two"}, "Three": {english: "Three"},
		"{{.Count}} of {{.Name}}": {english: "{{.Count}} of {{.Name}}", plural: true, fields: []string{"Count", "Name"}},
		"Could not stop it":       {english: "Could not stop it"}, "Could not open it": {english: "Could not open it"},
		"Notifications": {english: "Notifications"}, // a label of a setting
	} {
		have, there := got.texts[key]
		if !there || have.english != want.english || have.plural != want.plural || !slices.Equal(have.fields, want.fields) {
			t.Errorf("%q is %+v, want %+v", key, have, want)
		}
	}
}

func TestWhatIsWrongWithACatalogueIsTold(t *testing.T) {
	t.Parallel()
	texts := map[string]text{
		"Stop": {key: "Stop", english: "Stop"}, "{{.Name}} ends": {key: "{{.Name}} ends", english: "{{.Name}} ends", fields: []string{"Name"}},
		"{{.Count}} runs": {key: "{{.Count}} runs", english: "{{.Count}} runs", fields: []string{"Count"}, plural: true},
	}
	good := func() catalogue {
		return catalogue{
			"Stop": "Halt", "{{.Name}} ends": "{{.Name}} endet",
			"{{.Count}} runs": map[string]any{"one": "ein Lauf", "other": "{{.Count}} Läufe"},
		}
	}
	if faults := good().check("de", language.German, texts); faults != nil {
		t.Errorf("a good one: %v", faults)
	}
	for want, change := range map[string]func(catalogue){
		`nothing in the code has the text "Go"`:    func(c catalogue) { c["Go"] = "Los" },
		`"Stop" has the forms []`:                  func(c catalogue) { delete(c, "Stop") },
		`"Stop" is not translated`:                 func(c catalogue) { c["Stop"] = "" },
		`uses {{.Nmae}}`:                           func(c catalogue) { c["{{.Name}} ends"] = "{{.Nmae}} endet" },
		`"Es endet" does not use the fields`:       func(c catalogue) { c["{{.Name}} ends"] = "Es endet" },
		`"{{.Name ends" has more than fields`:      func(c catalogue) { c["{{.Name}} ends"] = "{{.Name ends" },
		`runs" has the forms [other], want [one `:  func(c catalogue) { c["{{.Count}} runs"] = "Läufe" },
		`"{{.Count}} runs" is not translated (one`: func(c catalogue) { c["{{.Count}} runs"].(map[string]any)["one"] = "" },
	} {
		c := good()
		change(c)
		if faults := strings.Join(c.check("de", language.German, texts), "\n"); !strings.Contains(faults, want) {
			t.Errorf("%q, want %q", faults, want)
		}
	}
	texts["Other"] = text{key: "Other", english: "Other"}
	c := good()
	c["Other"] = "Andere"
	if faults := strings.Join(c.check("de", language.German, texts), "\n"); !strings.Contains(faults, `the word "Other" can't be a key`) {
		t.Errorf("a reserved word: %q", faults)
	}
}

func TestNewTextsComeIntoTheCatalogueAndOldOnesLeave(t *testing.T) {
	t.Parallel()
	texts := map[string]text{
		"New": {key: "New", english: "New"}, "Kept": {key: "Kept", english: "Kept"}, "Known": {key: "Known", english: "Known"},
		"{{.Count}} runs": {key: "{{.Count}} runs", english: "{{.Count}} runs", plural: true},
	}
	german := catalogue{"Kept": "Behalten", "Gone": "Weg"}
	empty := german.fill(language.German, texts, catalogue{"Known": "Bekannt"})
	if !slices.Equal(empty, []string{"New", "{{.Count}} runs"}) || german["Gone"] != nil || german["Kept"] != "Behalten" || german["Known"] != "Bekannt" {
		t.Errorf("%v is empty in %v", empty, german)
	}
	if forms := slices.Sorted(maps.Keys(german.forms("{{.Count}} runs"))); !slices.Equal(forms, []string{"one", "other"}) {
		t.Errorf("German has the forms %v", forms)
	}
	chinese := catalogue{}
	chinese.fill(language.SimplifiedChinese, texts, nil)
	if forms := slices.Sorted(maps.Keys(chinese.forms("{{.Count}} runs"))); !slices.Equal(forms, []string{"other"}) {
		t.Errorf("Chinese has the forms %v", forms)
	}
	english := catalogue{}
	if empty := english.fill(language.English, texts, nil); !slices.Equal(empty, []string{"{{.Count}} runs"}) || english["New"] != "New" {
		t.Errorf("%v is empty in %v", empty, english)
	}
}
