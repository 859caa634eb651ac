// Package signs finds out whether the fonts of this machine have the signs of the languages and file names
// of a person, and which package has those that are missing. It draws nothing.
//
// [Needed] says which [Writing]s a person meets, [Missing] which of them the fonts lack, and [Writing.Fix]
// what to install. [Fonts] asks the machine.
package signs

import (
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/go-text/typesetting/fontscan"

	"blendtray/tray/install"
)

// Writing is signs that come in fonts of their own.
type Writing string

// The values of [Writing]. Every machine has fonts for Latin, Greek and Cyrillic.
const (
	Chinese  Writing = "Chinese"
	Japanese Writing = "Japanese"
	Korean   Writing = "Korean"
	Arabic   Writing = "Arabic"
	Hebrew   Writing = "Hebrew"
	Indic    Writing = "Indic" // with Thai and the other writings of that family
	Emoji    Writing = "emoji"
)

// writing is what is known of a writing.
type writing struct {
	name Writing
	// languages are the languages that are written so, as codes of ISO 639.
	languages []string
	// of are the signs, and sample is a sign that every font for the writing has.
	of     []*unicode.RangeTable
	sample rune
	// debian and fedora are the packages with such a font.
	debian, fedora string
}

// emoji are the blocks in which emoji stand. A font of text has the older signs, such as the sun.
var emoji = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0x1F300, Hi: 0x1FAFF, Stride: 1}}}

const (
	cjkDebian, cjkFedora   = "fonts-noto-cjk", "google-noto-sans-cjk-fonts"
	coreDebian, coreFedora = "fonts-noto-core", "google-noto-sans-fonts"
)

var writings = []writing{
	{Chinese, []string{"zh", "yue"}, []*unicode.RangeTable{unicode.Han, unicode.Bopomofo}, '的', cjkDebian, cjkFedora},
	{Japanese, []string{"ja"}, []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana}, 'の', cjkDebian, cjkFedora},
	{Korean, []string{"ko"}, []*unicode.RangeTable{unicode.Hangul}, '한', cjkDebian, cjkFedora},
	{Arabic, []string{"ar", "fa", "ur", "ps", "ckb", "ug"}, []*unicode.RangeTable{unicode.Arabic}, 'ع', coreDebian, "google-noto-sans-arabic-fonts"},
	{Hebrew, []string{"he", "iw", "yi"}, []*unicode.RangeTable{unicode.Hebrew}, 'א', coreDebian, "google-noto-sans-hebrew-fonts"},
	{Indic, []string{"hi", "mr", "ne"}, []*unicode.RangeTable{unicode.Devanagari}, 'क', coreDebian, "google-noto-sans-devanagari-fonts"},
	{Indic, []string{"bn", "as"}, []*unicode.RangeTable{unicode.Bengali}, 'ক', coreDebian, "google-noto-sans-bengali-fonts"},
	{Indic, []string{"ta"}, []*unicode.RangeTable{unicode.Tamil}, 'க', coreDebian, "google-noto-sans-tamil-fonts"},
	{Indic, []string{"th"}, []*unicode.RangeTable{unicode.Thai}, 'ก', coreDebian, "google-noto-sans-thai-fonts"},
	{Emoji, nil, []*unicode.RangeTable{emoji}, '😀', "fonts-noto-color-emoji", "google-noto-color-emoji-fonts"},
}

// Need is a writing that a person meets, and the signs of it that fonts should have.
type Need struct {
	Writing Writing
	// Signs are the signs in names, each once, or one that every font for the writing has.
	Signs []rune
	// Name is a name in which the signs stand, or "" where a language needs them.
	Name string

	sample         rune
	debian, fedora string
}

// maxNames bounds how many names are looked at.
const maxNames = 5000

// Needed returns the writings that a person meets: those of some languages, such as "ja_JP.UTF-8" or "zh-Hans",
// and those in names of files.
func Needed(languages, names []string) (all []Need) {
	for _, w := range writings {
		n := Need{Writing: w.name, sample: w.sample, debian: w.debian, fedora: w.fedora}
		found := map[rune]bool{}
		for _, name := range names[:min(len(names), maxNames)] {
			for _, r := range name {
				if unicode.IsOneOf(w.of, r) {
					found[r] = true
					if n.Name == "" {
						n.Name = name
					}
				}
			}
		}
		n.Signs = slices.Sorted(maps.Keys(found))
		if slices.ContainsFunc(languages, func(l string) bool { return slices.Contains(w.languages, code(l)) }) && !found[w.sample] {
			n.Signs = append(n.Signs, w.sample)
		}
		if len(n.Signs) > 0 {
			all = append(all, n)
		}
	}
	return all
}

// code returns the code of a language without its country.
func code(language string) string {
	if i := strings.IndexAny(language, "_-.@"); i >= 0 {
		language = language[:i]
	}
	return strings.ToLower(language)
}

// Missing returns those needs of which the fonts lack a sign that a package would bring. has reports whether
// a font has a sign. Of the signs above U+FFFF, which are rare or new, the package may lack some as well:
// they count where no font for the writing is there at all.
func Missing(needs []Need, has func(rune) bool) (missing []Need) {
	for _, n := range needs {
		if slices.ContainsFunc(n.Signs, func(r rune) bool { return !has(r) && (r <= 0xFFFF || !has(n.sample)) }) {
			missing = append(missing, n)
		}
	}
	return missing
}

// Fix returns the command that installs the fonts that are missing on a system: Debian, Fedora, or
// another, for which it returns what to look for.
func Fix(missing []Need, on install.System) string {
	var packages []string
	for _, n := range missing {
		name := map[install.System]string{install.Debian: n.debian, install.Fedora: n.fedora}[on]
		if name == "" {
			name = "a Noto font for " + string(n.Writing)
		}
		if !slices.Contains(packages, name) {
			packages = append(packages, name)
		}
	}
	switch on {
	case install.Debian:
		return "sudo apt install " + strings.Join(packages, " ")
	case install.Fedora:
		return "sudo dnf install " + strings.Join(packages, " ")
	}
	return "install " + strings.Join(packages, ", ") + " (https://fonts.google.com/noto)"
}

// Words returns which signs are missing, for a sentence: "Chinese and Japanese".
func Words(missing []Need) string {
	var names []string
	for _, n := range missing {
		if !slices.Contains(names, string(n.Writing)) {
			names = append(names, string(n.Writing))
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// Languages returns the languages of a person by the variables of the environment, as "NAME=value".
func Languages(environ []string) (all []string) {
	for _, name := range []string{"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE", "LANG"} {
		for _, variable := range environ {
			if value, ok := strings.CutPrefix(variable, name+"="); ok && value != "" {
				all = append(all, strings.Split(value, ":")...)
			}
		}
	}
	return all
}

// Names returns the names of what is in some folders. A folder that can't be read has none.
func Names(folders []string) (all []string) {
	for _, folder := range folders {
		dir, err := os.Open(folder)
		if err != nil {
			continue
		}
		names, _ := dir.Readdirnames(maxNames) // what was read before an error is enough
		_ = dir.Close()                        // nothing was written
		all = append(append(all, folder), names...)
	}
	return all
}

// Fonts returns whether a font of this machine has a sign. It fails where the fonts can't be read. cache is
// a folder where the list of the fonts is kept: without the list, to read the fonts takes seconds.
func Fonts(cache string) (has func(rune) bool, err error) {
	fonts, err := fontscan.SystemFonts(silent{}, cache)
	if err != nil {
		return nil, err
	}
	return func(r rune) bool {
		return slices.ContainsFunc(fonts, func(f fontscan.Footprint) bool { return f.Runes.Contains(r) })
	}, nil
}

// silent drops what is said of fonts that can't be read: they are as good as not there.
type silent struct{}

func (silent) Printf(string, ...any) {}
