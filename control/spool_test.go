package control

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"blendtray/api"
)

func text(id, s string) api.Event { return api.Event{Kind: api.KindOutput, ID: id, Text: s} }

// drain takes all that is in a spool.
func drain(t *testing.T, s *spool) (texts string, events []api.Event) {
	t.Helper()
	for {
		ev, ok, _, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return texts, events
		}
		texts += ev.Text
		events = append(events, ev)
	}
}

func TestASpoolKeepsTheOrderOverMemoryAndDisk(t *testing.T) {
	t.Parallel()
	s := newSpool(t.TempDir())
	defer s.remove()
	s.memory = 100
	for round := range 3 {
		want := ""
		for i := range 200 {
			line := fmt.Sprintf("%d %d %s\n", round, i, strings.Repeat("ü", i%20))
			want += line
			s.put(text("r1", line))
			if i%50 == 0 {
				s.put(api.Event{Kind: api.KindProgress, ID: "r1"})
			}
		}
		if got, _ := drain(t, s); got != want {
			t.Errorf("round %d: %d bytes came back of %d", round, len(got), len(want))
		}
	}
	if s.inMemory != 0 || s.inFile != 0 || s.dropped != 0 {
		t.Errorf("empty, it holds %d bytes in memory, %d in its file, %d dropped", s.inMemory, s.inFile, s.dropped)
	}
}

func TestAFullSpoolCountsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	s := newSpool(t.TempDir())
	defer s.remove()
	s.memory, s.disk = 10, 20
	for range 10 {
		s.put(text("r1", "1234567890"))
	}
	s.put(api.Event{Kind: api.KindRun, ID: "r1"})
	got, events := drain(t, s)
	if len(got) != 30 || events[len(events)-1].Dropped != 70 {
		t.Errorf("%d bytes came back, and %d are said to be left out", len(got), events[len(events)-1].Dropped)
	}
	s.put(text("r1", "room again"))
	if got, _ := drain(t, s); got != "room again" {
		t.Errorf("afterwards: %q", got)
	}
}

func TestASpoolLeavesNothingOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSpool(dir)
	s.memory = 0
	s.put(text("r1", "x"))
	if s.file == nil {
		t.Fatal("nothing went to disk")
	}
	s.remove()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	s.put(text("r1", "x")) // is of no use, and no harm
	s.remove()
}

func TestASpoolThatCannotWriteLeavesOut(t *testing.T) {
	t.Parallel()
	s := newSpool(t.TempDir() + "/nowhere")
	defer s.remove()
	s.memory = 0
	s.put(text("r1", "lost"))
	s.put(api.Event{Kind: api.KindRun})
	if _, events := drain(t, s); len(events) != 1 || events[0].Dropped != 4 {
		t.Errorf("events: %+v", events)
	}
}
