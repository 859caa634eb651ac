package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blendtray/farm"
)

func TestJobsOfACommandAreAGroup(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	jobs := []farm.JobStatus{ // the newest first
		{ID: "alone", Name: "a.py", Kind: farm.KindScript, By: "desk", At: at.Add(time.Hour), State: farm.StateWaiting},
		{ID: "two", Name: "b.blend", Group: "g", Part: 2, Parts: 2, At: at.Add(time.Second), State: farm.StateRunning, Machine: "hall"},
		{ID: "one", Name: "b.blend", Group: "g", Part: 1, Parts: 2, At: at, State: farm.StateSucceeded, Frames: "1-5", To: "/out"},
		{ID: "old", Name: "c.py", At: at.Add(-time.Hour)},
	}
	all := groupsOf(jobs, 2)
	if len(all) != 2 || all[0].ID != "alone" || all[0].Parts != 1 || all[1].ID != "g" || all[1].Parts != 2 || !all[1].At.Equal(at) {
		t.Fatalf("the groups are %+v", all)
	}
	if j := all[1].Jobs; len(j) != 2 || j[0].ID != "one" || j[0].Frames != "1-5" || j[1].Machine != "hall" || j[1].State != "running" {
		t.Errorf("the jobs are %+v", all[1].Jobs)
	}
}

func TestTheNewestPictureOfAFolderIsFound(t *testing.T) {
	t.Parallel()
	dir, began := t.TempDir(), time.Now().Add(-time.Hour)
	for i, name := range []string{"old.png", "f_0001.png", "f_0002.png", "f_0003.exr", ".hidden.png", "notes.txt"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := began.Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if got := newestPicture(dir, began); got != filepath.Join(dir, "f_0002.png") {
		t.Errorf("it is %q", got)
	}
	if got := newestPicture(dir, time.Now()); got != "" {
		t.Errorf("of a later command it is %q", got)
	}
	if got := newestPicture(filepath.Join(dir, "none"), began); got != "" {
		t.Errorf("of no folder it is %q", got)
	}
}

func TestAMachineInNoFarmIsNoMember(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "membership.json")
	v := newFarmView(path)
	if f := v.look(t.Context(), 20); f.Member != "" || f.Reason != "" {
		t.Errorf("it is %+v", f)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := v.look(t.Context(), 20); f.Reason == "" {
		t.Error("a file that can't be read is no reason")
	}
}
