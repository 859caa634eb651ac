package translations

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
)

func TestTheLanguageIsTheOneThatFitsBest(t *testing.T) {
	t.Parallel()
	for wanted, want := range map[string]string{
		"de-DE": "de", "de-AT": "de", "zh-CN": "zh", "zh-TW": "zh", "zh": "zh", "en-GB": "en",
		"": "en", "C": "en", "fr-FR": "en", "sr-RS": "en", "ru": "en",
		"fr-FR:de": "de", "xx_broken:zh-CN": "zh", "nds:de": "de",
	} {
		if got := match(strings.Split(wanted, ":")).Name; got != want {
			t.Errorf("%q brings %q, want %q", wanted, got, want)
		}
	}
}

func TestTheSettingNamesEachLanguage(t *testing.T) {
	t.Parallel()
	words := api.Language(0).Words()
	if words[0] != "auto" || len(words) != len(Languages)+1 {
		t.Fatalf("the setting has %v, and there are %d languages", words, len(Languages))
	}
	for i, l := range Languages {
		if words[i+1] != l.Name {
			t.Errorf("the setting has %q in the place of %q", words[i+1], l.Name)
		}
	}
}

// The tests of Use change what all texts are, so they are one.
func TestTheChosenLanguageHoldsWhateverTheSystemSays(t *testing.T) {
	for _, c := range []struct{ system, setting, stop, cancel string }{
		{"de_DE.UTF-8", "auto", "Blender anhalten", "Abbrechen"},
		{"zh_CN.UTF-8", "auto", "停止 Blender", "取消"},
		{"de_DE.UTF-8", "zh", "停止 Blender", "取消"},
		{"zh_CN.UTF-8", "en", "Stop Blender", "Cancel"},
		{"fr_FR.UTF-8", "auto", "Stop Blender", "Cancel"},
		{"C", "de", "Blender anhalten", "Abbrechen"},
		{"", "auto", "Stop Blender", "Cancel"},
		{"de_DE.UTF-8", "no such language", "Blender anhalten", "Abbrechen"},
	} {
		t.Setenv("LC_ALL", c.system)
		t.Setenv("LANG", "")
		t.Setenv("LANGUAGE", "")
		if err := Use(c.setting); err != nil {
			t.Fatal(err)
		}
		// Cancel is one of Fyne's own texts.
		if stop, cancel := lang.L("Stop Blender"), lang.L("Cancel"); stop != c.stop || cancel != c.cancel {
			t.Errorf("with the system's %q and the setting %q it says %q and %q", c.system, c.setting, stop, cancel)
		}
	}
}
