package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// directives returns the lines of a unit that are no comments.
func directives(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The folder testdata/before has the units as an earlier version wrote them.
func TestAUnitOfAnEarlierVersionBecomesThatOfThisVersion(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/before/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(filepath.Join("testdata", filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		got, changed := Renew(string(before))
		if !changed || directives(got) != directives(string(now)) {
			t.Errorf("%s becomes\n%s\nwant\n%s", file, got, now)
		}
		if again, changed := Renew(got); changed {
			t.Errorf("%s changes twice: %s", file, again)
		}
		if _, changed := Renew(string(now)); changed {
			t.Errorf("%s of this version is changed", file)
		}
		// What a person has changed in it stays.
		mine := strings.Replace(string(before), "RestartSec=2\n", "RestartSec=7\nNice=5\nOOMPolicy=kill\n", 1)
		got, _ = Renew(mine)
		if !strings.Contains(got, "RestartSec=7\nNice=5\nOOMPolicy=kill\n") || strings.Contains(got, afterKillMode) {
			t.Errorf("a changed %s becomes\n%s", file, got)
		}
		if strings.Contains(got, "=2 78") || strings.Contains(got, "SUIDSGID") {
			t.Errorf("a changed %s is not mended:\n%s", file, got)
		}
		foreign := strings.Replace(string(before), Mark, "Mine", 1)
		if got, changed := Renew(foreign); changed || got != foreign {
			t.Errorf("a unit of somebody else is changed:\n%s", got)
		}
	}
}
