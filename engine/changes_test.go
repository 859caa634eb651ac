package engine

import (
	"errors"
	"strings"
	"testing"

	"blendtray/api"
)

func TestTheChangesOfARunAreAgainstTheRunBeforeOfTheSameScript(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.b.do = succeed
	h.serve()
	save := func(name, code string) string {
		t.Helper()
		h.w.save(h.path(name), code)
		runs, err := h.Runs(ctx, api.Filter{Limit: 1})
		if err != nil || len(runs) != 1 {
			t.Fatal(runs, err)
		}
		h.ended(runs[0].ID)
		return runs[0].ID
	}
	changes := func(id string) api.Changes {
		t.Helper()
		c, err := h.Changes(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := save("a.py", "x = 1\ny = 2\n")
	other := save("A.py", "x = 9\n") // another file, where case matters
	second := save("a.py", "x = 1\ny = 3\nz = 4\n")

	if c := changes(first); c.Before != "" || c.Added != 2 || c.Removed != 0 || !strings.Contains(c.Diff, "--- /dev/null") {
		t.Errorf("the first: %+v", c)
	}
	if c := changes(other); c.Before != "" {
		t.Errorf("another file: %+v", c)
	}
	c := changes(second)
	if c.Before != first || c.Added != 2 || c.Removed != 1 || c.Same || !strings.Contains(c.Diff, "\n-y = 2\n+y = 3\n+z = 4\n") {
		t.Errorf("the second: %+v", c)
	}
	again, err := h.Retry(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	if c := changes(again.ID); c.Before != second || !c.Same || c.Diff != "" || c.NoText {
		t.Errorf("the same again: %+v", c)
	}
	if c := changes(save("a.py", "x = '\xff'\n")); !c.NoText || c.Same || c.Diff != "" {
		t.Errorf("no text: %+v", c)
	}
	if _, err := h.Changes(ctx, "4711"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("no run: %v", err)
	}

	// Code without a file has only a name, which code of other people has, too.
	named := func(session, code string) string {
		t.Helper()
		r, err := h.Submit(ctx, api.Submission{Code: []byte(code), Name: "<console>", Session: session})
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	mine := named("mine", "a\n")
	named("yours", "b\n")
	if c := changes(named("mine", "c\n")); c.Before != mine || !strings.Contains(c.Diff, "\n-a\n+c\n") {
		t.Errorf("in a session: %+v", c)
	}
}
