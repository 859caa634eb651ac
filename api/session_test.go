package api

import (
	"errors"
	"strings"
	"testing"
)

func TestANameOfASessionIsShortAndPlain(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "agent-1.x_Y", "0", "_", strings.Repeat("n", MaxSession)} {
		if err := CheckSession(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " ", "a b", "a/b", ".", "..", "-c", ".hidden", "ä", "a\n", "a\x00", strings.Repeat("n", MaxSession+1)} {
		if err := CheckSession(bad); !errors.Is(err, ErrBad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
