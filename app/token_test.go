//go:build unix

package app

import (
	"os"
	"testing"
)

func TestTheTokenStaysAndIsForTheUserAlone(t *testing.T) {
	t.Parallel()
	paths := Paths{Data: t.TempDir()}
	first, err := readToken(paths)
	if err != nil || len(first) < 20 {
		t.Fatalf("the token is %q, %v", first, err)
	}
	if again, err := readToken(paths); err != nil || again != first {
		t.Errorf("the second time it is %q, %v", again, err)
	}
	if err := os.Chmod(tokenFile(paths), 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := readToken(paths)
	if err != nil || second == first {
		t.Errorf("one that others could read became %q, %v", second, err)
	}
	if info, err := os.Stat(tokenFile(paths)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("its file has mode %v, %v", info.Mode(), err)
	}
	write(t, tokenFile(paths), "short\n")
	if other, err := readToken(paths); err != nil || other == second || len(other) < 20 {
		t.Errorf("a short one became %q, %v", other, err)
	}
}
