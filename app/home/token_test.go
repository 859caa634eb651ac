//go:build unix

package home

import (
	"os"
	"testing"
)

func TestTheTokenStaysAndIsForTheUserAlone(t *testing.T) {
	t.Parallel()
	paths := Paths{Data: t.TempDir()}
	first, err := Token(paths)
	if err != nil || len(first) < 20 {
		t.Fatalf("the token is %q, %v", first, err)
	}
	if again, err := Token(paths); err != nil || again != first {
		t.Errorf("the second time the token is %q, %v", again, err)
	}
	if err := os.Chmod(paths.TokenFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := Token(paths)
	if err != nil || second == first {
		t.Errorf("a token that others could read became %q, %v", second, err)
	}
	if info, err := os.Stat(paths.TokenFile()); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the file of the token has mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(paths.TokenFile(), []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := Token(paths); err != nil || other == second || len(other) < 20 {
		t.Errorf("a short token became %q, %v", other, err)
	}
}
