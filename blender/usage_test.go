package blender

import (
	"slices"
	"testing"
	"time"
)

func TestTheTimeThatProcessesHaveSpent(t *testing.T) {
	t.Parallel()
	s := func(own, children int) spent {
		return spent{time.Duration(own) * time.Second, time.Duration(children) * time.Second}
	}
	a, b, c := member{1, 10}, member{2, 20}, member{3, 30}
	for _, x := range []struct {
		name        string
		before, now map[member]spent
		seconds     int
	}{
		{"nothing", map[member]spent{a: s(5, 0)}, map[member]spent{a: s(5, 0)}, 0},
		{"a process alone", map[member]spent{a: s(5, 0)}, map[member]spent{a: s(7, 0)}, 2},
		{"with a child", map[member]spent{a: s(5, 0), b: s(1, 0)}, map[member]spent{a: s(6, 0), b: s(3, 0)}, 3},
		{"with a new child", map[member]spent{a: s(5, 0)}, map[member]spent{a: s(5, 0), b: s(2, 0)}, 2},
		{"a child has ended", map[member]spent{a: s(5, 0), b: s(4, 0)}, map[member]spent{a: s(5, 5)}, 1},
		{"children came and went in between", map[member]spent{a: s(5, 1)}, map[member]spent{a: s(5, 3)}, 2},
		{"nobody waited for a child", map[member]spent{a: s(5, 0), b: s(4, 0)}, map[member]spent{a: s(6, 0)}, 1},
		{"one child ended, another began", map[member]spent{a: s(5, 0), b: s(4, 0)}, map[member]spent{a: s(5, 4), c: s(1, 0)}, 1},
		{"another process has the child's id", map[member]spent{a: s(5, 0), b: s(4, 0)}, map[member]spent{a: s(5, 4), {2, 25}: s(1, 0)}, 1},
	} {
		now := Measured{began: 10, spent: x.now, age: time.Hour}
		if got := now.Spent(Measured{began: 10, spent: x.before}, 2*time.Second); got != time.Duration(x.seconds)*time.Second {
			t.Errorf("%s: %s, want %d s", x.name, got, x.seconds)
		}
	}
	young := Measured{began: 10, spent: map[member]spent{a: s(1, 0)}, age: time.Second}
	if got := young.Spent(Measured{}, 2*time.Second); got != time.Second {
		t.Errorf("a process that began since then: %s", got)
	}
	if got := young.Spent(Measured{began: 9, spent: map[member]spent{a: s(9, 0)}}, 2*time.Second); got != time.Second {
		t.Errorf("another process had its id: %s", got)
	}
	old := Measured{began: 10, spent: map[member]spent{a: s(100, 0)}, age: time.Hour}
	if got := old.Spent(Measured{}, 2*time.Second); got != 0 {
		t.Errorf("a process that is seen for the first time, an hour old: %s", got)
	}
}

func TestDescendantsAreFoundInAnyTree(t *testing.T) {
	t.Parallel()
	found := withDescendants([]int{10, 99}, map[int]int{10: 1, 11: 10, 12: 11, 13: 10, 20: 1, 21: 20, 0: 0, 30: 31, 31: 30})
	for _, list := range found {
		slices.Sort(list)
	}
	if !slices.Equal(found[10], []int{10, 11, 12, 13}) || !slices.Equal(found[99], []int{99}) {
		t.Errorf("%v", found)
	}
	if ring := withDescendants([]int{30}, map[int]int{30: 31, 31: 30})[30]; len(ring) != 2 {
		t.Errorf("a ring: %v", ring)
	}
}

func TestAProcessMeasuresItself(t *testing.T) {
	t.Parallel()
	m, ok := MeasureSelf()
	if !ok || m.MemoryBytes < 1<<20 || m.Processes != 1 {
		t.Errorf("%+v, %t", m, ok)
	}
	if gone := Measure([]int{1 << 30}); len(gone) != 0 {
		t.Errorf("a process that is not there: %v", gone)
	}
}
