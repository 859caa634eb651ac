//go:build !headless

package tray

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

func TestWhatCanBeDoneWithARun(t *testing.T) {
	t.Parallel()
	began := time.Now()
	run := func(change func(*api.Run)) api.Run {
		r := api.Run{ID: "7", Script: "/srv/a.py", State: api.Succeeded, StartedAt: &began, SHA256: "1"}
		if change != nil {
			change(&r)
		}
		return r
	}
	whole := []actionID{editAndRun, openInEditor, showInFolder, copyOutput, copyCode}
	with := func(more ...actionID) []actionID { return append(slices.Clone(whole), more...) }
	for name, c := range map[string]struct {
		run  api.Run
		want []actionID
	}{
		"none":      {api.Run{}, nil},
		"succeeded": {run(nil), with(runAgain, openInBlender, pinRun, deleteRun)},
		"pinned":    {run(func(r *api.Run) { r.Pinned = true }), with(runAgain, openInBlender, unpinRun, deleteRun)},
		"running":   {run(func(r *api.Run) { r.State = api.Running }), with(cancelRun, pinRun)},
		"queued":    {run(func(r *api.Run) { r.State, r.StartedAt = api.Queued, nil }), with(cancelRun, pinRun)},
		"failed": {run(func(r *api.Run) {
			r.State, r.Error = api.Failed, &api.ScriptError{Line: 3, Traceback: "Traceback"}
		}), with(runAgain, openInBlender, jumpToError, copyTraceback, pinRun, deleteRun)},
		"crashed": {run(func(r *api.Run) {
			r.State, r.Error = api.Crashed, &api.ScriptError{}
		}), with(runAgain, pinRun, deleteRun)},
		"typed": {run(func(r *api.Run) { r.Script = "<window>" }), []actionID{editAndRun, copyOutput, copyCode, runAgain, openInBlender, pinRun, deleteRun}},
		"renders": {run(func(r *api.Run) {
			r.Script, r.Render, r.SHA256 = "/srv/a.blend", &api.Render{}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		}), []actionID{showInFolder, copyOutput, runAgain, openInBlender, pinRun, deleteRun}},
		"of a session": {run(func(r *api.Run) {
			r.Script, r.Source, r.Session = "<undo>", api.FromSession, "chair"
		}), []actionID{copyOutput, pinRun, deleteRun}},
	} {
		var got []actionID
		for _, a := range actionsOf(c.run) {
			if a.able {
				got = append(got, a.id)
			}
			if a.able != able(c.run, a.id) && a.id != noAction {
				t.Errorf("%s: %s is able or not", name, a.name)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s can be asked for %v, want %v", name, got, c.want)
		}
	}
}

// menuOf returns the words of the menu of the shown run that can be chosen.
func (o *open) menuOf() (able []string) {
	for _, item := range o.runs.detail.menu().Items {
		if !item.Disabled && !item.IsSeparator {
			able = append(able, item.Label)
		}
	}
	return able
}

func TestARunIsPinnedAndDeleted(t *testing.T) {
	o := openWindow(t, many(3)...)
	d := o.runs.detail
	o.until("they are listed", func() bool { return len(o.runs.activity.runs) == 3 && d.run.ID == "3" })
	o.runs.list.Select(1)
	if !slices.Contains(o.menuOf(), "Delete…") || slices.Contains(o.menuOf(), "Unpin") {
		t.Errorf("the menu has %q", o.menuOf())
	}
	d.act(pinRun)
	o.until("it is pinned, and shown so", func() bool { return d.run.Pinned && o.runs.activity.runs[1].Pinned })
	row := newRow()
	o.runs.fill(1, row)
	if !strings.HasPrefix(aboutIn(row), pinSign) {
		t.Errorf("the list says %q", aboutIn(row))
	}
	d.act(unpinRun)
	o.until("it is not pinned any more", func() bool { return !d.run.Pinned && !o.runs.activity.runs[1].Pinned })
	o.runs.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDelete})
	if !o.dialogSays("Run 2 of 2.py leaves the history") {
		t.Fatal("nothing asks before a run is deleted")
	}
	test.Tap(o.dialogButtons()["Delete"])
	o.until("the next older run is shown in its place", func() bool { return len(o.runs.activity.runs) == 2 && d.run.ID == "1" })
	for _, id := range []string{"1", "3"} {
		o.backend.DeleteRun(t.Context(), id)
	}
	o.until("nothing is left", func() bool { return len(o.runs.activity.runs) == 0 && d.run.ID == "" && !d.head.Visible() })
	if !strings.Contains(o.runs.empty.Text, "Nothing has run yet") {
		t.Errorf("the list says %q", o.runs.empty.Text)
	}
	o.backend.add(succeeded("/srv/new.py"))
	o.until("a new run is shown", func() bool { return d.run.Script == "/srv/new.py" && d.head.Visible() })
}

// aboutIn returns what a line of the list says about a run.
func aboutIn(row fyne.CanvasObject) string {
	return row.(*fyne.Container).Objects[2].(*fyne.Container).Objects[0].(*canvas.Text).Text
}

func TestTheRunsOfAFilterAreDeletedAfterAQuestion(t *testing.T) {
	pinned := failed("/srv/keep.py")
	pinned.Pinned = true
	o := openWindow(t, failed("/srv/a.py"), succeeded("/srv/b.py"), pinned, failed("/srv/c.py"))
	o.runs.setFilter(runFilter{States: "Failed"})
	o.until("the failed are listed", func() bool { return len(o.runs.activity.runs) == 3 })
	o.runs.clear()
	if !o.dialogSays("if they match: Failed.") {
		t.Fatal("nothing says which runs are deleted")
	}
	test.Tap(o.dialogButtons()["Delete"])
	o.until("the pinned one is left", func() bool {
		return len(o.runs.activity.runs) == 1 && o.runs.activity.runs[0].Script == "/srv/keep.py"
	})
	o.until("it says how many were deleted", func() bool { return strings.Contains(o.banner.Text, "2") })
	o.runs.setFilter(runFilter{})
	o.until("others are left", func() bool { return len(o.runs.activity.runs) == 2 })
}

func TestTheCodeOfARunGoesToTheConsole(t *testing.T) {
	o := openWindow(t, succeeded("/srv/a.py"))
	o.backend.codes = map[string]string{"1": "print(1)\n"}
	o.until("it is shown", func() bool { return o.runs.detail.run.ID == "1" })
	o.console.code.SetText("a draft")
	test.Tap(o.runs.detail.edit)
	o.until("the code is there", func() bool {
		return o.console.code.Text == "print(1)\n" && o.tabs.Selected().Content == o.console.content
	})
	if text, ok := o.console.history.step(-1, o.console.code.Text); !ok || text != "a draft" {
		t.Errorf("what was typed before is lost: %q", text)
	}
	o.runs.detail.act(copyCode)
	o.until("it is copied", func() bool { return o.shell.app.Clipboard().Content() == "print(1)\n" })
	o.backend.mu.Lock()
	o.backend.codes["1"] = "caf\xe9"
	o.backend.mu.Unlock()
	o.runs.detail.act(editAndRun)
	o.until("it is told that it is no text", func() bool { return o.dialogSays("no UTF-8") })
}

func TestATracebackIsCopied(t *testing.T) {
	o := openWindow(t, failed("/srv/a.py"))
	o.until("it is shown", func() bool { return o.runs.detail.run.ID == "1" })
	o.runs.detail.act(copyTraceback)
	if got := o.shell.app.Clipboard().Content(); !strings.HasPrefix(got, "Traceback") || !strings.HasSuffix(got, "KeyError: 'x'\n") {
		t.Errorf("copied is %q", got)
	}
	o.until("the output is there", func() bool { return strings.Contains(o.runs.detail.output.pane.Text(), "KeyError") })
	o.runs.detail.act(copyOutput)
	if got := o.shell.app.Clipboard().Content(); !strings.HasPrefix(got, "before\n") || !strings.Contains(got, "KeyError") {
		t.Errorf("copied is %q", got)
	}
}
