package api

import "testing"

func TestHowManyRunsGoOnAtTheSameTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"1": 1, "7": 7, "64": 64, "auto": 6} {
		var p Parallel
		if err := p.UnmarshalText([]byte(text)); err != nil || p.Of(6) != want || p.String() != text {
			t.Errorf("%s: %d runs as %s, %v", text, p.Of(6), p, err)
		}
	}
	for _, text := range []string{"", "0", "65", "-1", "many", "1.5"} {
		if err := new(Parallel).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if got := Parallel(0).Of(6); got != 1 {
		t.Errorf("where nothing is said: %d runs", got)
	}
	if got := ParallelAuto.Of(200); got != MaxParallel {
		t.Errorf("on 200 cores: %d runs", got)
	}
}

func TestAsManyBlendersWaitAsRunsMayGoOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead    Count
		cores    int
		memory   uint64
		parallel int
		want     int
	}{
		{CountAuto, 2, 4e9, 1, 1},
		{CountAuto, 4, 16e9, 1, 2},
		{CountAuto, 4, 4e9, 3, 3},
		{CountAuto, 4, 16e9, 64, 4}, // the cores bound them
		{0, 4, 16e9, 4, 0},          // a person has said so
		{1, 4, 16e9, 4, 1},
	} {
		if got := (FleetSettings{Ahead: c.ahead}).AheadOf(c.cores, c.memory, c.parallel); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
