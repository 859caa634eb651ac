//go:build !windows

package service

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheDocumentHasEveryFailure(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## What can fail\n")
	if !found {
		t.Fatal("docs/service.md has no section on what can fail")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	has := map[string]bool{}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			has[strings.TrimSpace(line)] = true
		}
	}
	for _, e := range explanations {
		row := fmt.Sprintf("| `%s` | %s | %s |", e.failure, e.sentence, e.hint)
		if !has[row] {
			t.Errorf("it lacks\n%s", row)
		}
		delete(has, row)
	}
	for row := range has {
		t.Errorf("it has what is no failure:\n%s", row)
	}
}
