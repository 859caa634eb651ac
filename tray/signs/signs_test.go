package signs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blendtray/tray/install"
)

func TestWhichSignsAPersonNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		languages, names []string
		want             string
	}{
		{nil, []string{"first_light.py", "Käse.py", "Привет.py", "αβγ.py", "a–b ☀ ✓.py"}, ""},
		{[]string{"de_DE.UTF-8", "C", "en"}, nil, ""},
		{[]string{"ja_JP.UTF-8"}, nil, "Japanese"},
		{[]string{"zh-Hans-CN"}, nil, "Chinese"},
		{nil, []string{"场景.py"}, "Chinese"},
		{nil, []string{"シーン.py", "한.py"}, "Japanese Korean"},
		{[]string{"fa"}, []string{"🎬.py"}, "Arabic emoji"},
		{nil, []string{"שלום.py", "कमल.py", "ฉาก.py"}, "Hebrew Indic Indic"},
	} {
		var got []string
		for _, n := range Needed(c.languages, c.names) {
			got = append(got, string(n.Writing))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, %q: %q, want %q", c.languages, c.names, got, c.want)
		}
	}
}

func TestWhatIsMissingIsNamedWithItsPackage(t *testing.T) {
	t.Parallel()
	needs := Needed([]string{"ja"}, []string{"场景.py", "سلام.py", "🎬.py"})
	if got := Missing(needs, func(rune) bool { return true }); len(got) != 0 {
		t.Errorf("with all fonts %v is missing", got)
	}
	missing := Missing(needs, func(r rune) bool { return r == '场' }) // one sign of a name is not enough
	if got := Words(missing); got != "Chinese, Japanese, Arabic and emoji" {
		t.Errorf("missing is %q", got)
	}
	for system, want := range map[install.System]string{
		"debian": "sudo apt install fonts-noto-cjk fonts-noto-core fonts-noto-color-emoji",
		"fedora": "sudo dnf install google-noto-sans-cjk-fonts google-noto-sans-arabic-fonts google-noto-color-emoji-fonts",
		"arch":   "install a Noto font for Chinese, a Noto font for Japanese, a Noto font for Arabic, a Noto font for emoji (https://fonts.google.com/noto)",
	} {
		if got := Fix(missing, system); got != want {
			t.Errorf("%s: %q", system, got)
		}
	}
	// A package for a writing that is there brings no sign that is rarer.
	if got := Missing(Needed(nil, []string{"\U000323AF.py", "\U0001FAE9.py"}), func(r rune) bool { return r == '的' || r == '😀' }); len(got) != 0 {
		t.Errorf("with fonts for it, missing is %v", got)
	}
	if missing[0].Name != "场景.py" {
		t.Errorf("the name is %q", missing[0].Name)
	}
}

func TestLanguagesAndNamesAreRead(t *testing.T) {
	t.Parallel()
	if got := Languages([]string{"HOME=/x", "LANG=de_DE.UTF-8", "LANGUAGE=ja:en", "LC_ALL="}); !slices.Equal(got, []string{"ja", "en", "de_DE.UTF-8"}) {
		t.Errorf("%q", got)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "场景.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Names([]string{folder, "/nowhere/at/all"}); !slices.Equal(got, []string{folder, "场景.py"}) {
		t.Errorf("%q", got)
	}
}

func TestTheFontsOfTheMachineAreAsked(t *testing.T) {
	t.Parallel()
	has, err := Fonts(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if !has('A') || has('\U0010FFFD') {
		t.Errorf("A: %v, a sign that is none: %v", has('A'), has('\U0010FFFD'))
	}
}
