package app

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"blendtray/addon"
)

func TestTheVersionIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	release := strings.TrimSuffix(version, "-dev")
	text, err := os.ReadFile("../FyneApp.toml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^Version = "(.+)"$`).FindSubmatch(text)
	if m == nil || string(m[1]) != release {
		t.Errorf("FyneApp.toml has %q, version.go %s", m, release)
	}
	if addon.Version() != release {
		t.Errorf("the add-on has %s, version.go %s", addon.Version(), release)
	}
}

func TestTheManualHasEveryCommandAndFlag(t *testing.T) {
	t.Parallel()
	model := grammarModel(t)
	page := manualPage(model)
	for _, node := range model.Leaves(true) {
		for _, flag := range node.Flags {
			if !flag.Hidden && !strings.Contains(page, roff("--"+flag.Name)) {
				t.Errorf("%s --%s is not in it", node.Path(), flag.Name)
			}
		}
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "'") || strings.Contains(line, "`") {
			t.Errorf("a line that man would misread: %q", line)
		}
	}
	all := completions(model)
	for name, script := range map[string]string{"bash": bashCompletion(all), "zsh": zshCompletion(all), "fish": fishCompletion(all)} {
		for _, word := range []string{"serve", "uninstall", "loop", "proactor"} {
			if !strings.Contains(script, word) {
				t.Errorf("%s does not complete %s", name, word)
			}
		}
		if strings.Contains(script, "manual") {
			t.Errorf("%s completes what is hidden", name)
		}
	}
}

func grammarModel(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(newGrammar(), kong.Name("blendtray"))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}
