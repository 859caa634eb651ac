// Package translations has the texts that a person sees, in each language, and chooses the language.
//
// A text in the code is its English: fyne.io/fyne/v2/lang.L("Stop Blender") returns the text of the
// catalogue in use, NAME.json. The tests of the package collect hold the catalogues against the code.
// docs/translating.md says how a language is added.
//
// The package is for the window and the tray alone: commands, logs and the engine speak English.
package translations

import (
	"embed"
	"fmt"
	_ "unsafe" // for go:linkname

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"github.com/jeandeaual/go-locale"
	"golang.org/x/text/language"
)

// Catalogues has the file NAME.json for each of the [Languages].
//
//go:embed *.json
var Catalogues embed.FS

// Language is a language that the window and the tray speak.
type Language struct {
	// Name is the word for it in the settings, and Tag what other programs call it: Fyne has texts of
	// its own, in its dialogs, under that tag.
	Name string
	Tag  language.Tag
}

// Languages are all languages. The first is the language of the texts in the code, which is used where
// no other fits.
var Languages = []Language{
	{"en", language.English},
	{"de", language.German},
	{"zh", language.SimplifiedChinese},
}

// setLanguage has Fyne take its texts and ours from another language than that of the system. Fyne
// itself asks the system alone, and keeps what it has found to itself: on Windows and macOS no variable
// changes that. It also takes a language that only Fyne knows, such as French, and then complains about
// each of our texts.
//
//go:linkname setLanguage fyne.io/fyne/v2/lang.setupLang
func setLanguage(tag string)

// Use has lang.L and its like return texts in a language of [Languages], or in the system's for any
// other word. It must be called before anything shows a text, because lang can't be changed while
// others use it. It fails when a catalogue can't be read, and texts are in English then.
func Use(name string) error {
	use := choose(name)
	for _, l := range Languages {
		if l != use && l != Languages[0] {
			continue // a catalogue takes memory
		}
		text, err := Catalogues.ReadFile(l.Name + ".json")
		if err == nil {
			err = lang.AddTranslationsForLocale(text, fyne.Locale(l.Tag.String()))
		}
		if err != nil {
			setLanguage(Languages[0].Tag.String())
			return fmt.Errorf("read the texts for the language %s: %w", l.Name, err)
		}
	}
	setLanguage(use.Tag.String())
	return nil
}

// choose returns the language with a name, or the system's.
func choose(name string) Language {
	for _, l := range Languages {
		if l.Name == name {
			return l
		}
	}
	wanted, err := locale.GetLocales()
	if err != nil {
		return Languages[0] // the system does not say
	}
	return match(wanted)
}

// match returns the language that fits best what a person wants, the most wanted first.
func match(wanted []string) Language {
	var have, want []language.Tag
	for _, l := range Languages {
		have = append(have, l.Tag)
	}
	for _, text := range wanted {
		if tag, err := language.Parse(text); err == nil { // "C" is no language
			want = append(want, tag)
		}
	}
	_, i, sure := language.NewMatcher(have).Match(want...)
	if sure == language.No {
		i = 0
	}
	return Languages[i]
}
