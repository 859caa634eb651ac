package spelling

import "testing"

func TestHowFarAWordIsFromAnother(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"location", "location", 0},
		{"locaton", "location", 1},
		{"locattion", "location", 1},
		{"lokation", "location", 1},
		{"ab", "ba", 2},
		{"kitten", "sitting", 3},
		{"grün", "grun", 1}, // letters, not bytes
	} {
		if got := Distance(x.a, x.b); got != x.want {
			t.Errorf("%q to %q: %d, want %d", x.a, x.b, got, x.want)
		}
		if got := Distance(x.b, x.a); got != x.want {
			t.Errorf("%q to %q: %d, want %d", x.b, x.a, got, x.want)
		}
	}
}
