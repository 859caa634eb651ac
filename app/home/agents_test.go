package home

import (
	"os"
	"runtime"
	"sync"
	"testing"
)

func TestProcessesThatMakeTheTokenAtOnceHaveOneToken(t *testing.T) {
	t.Parallel()
	p := Paths{Data: t.TempDir() + "/data"}
	tokens := make([]string, 16)
	var making sync.WaitGroup
	for i := range tokens {
		making.Go(func() {
			token, err := p.AgentToken()
			if err != nil {
				t.Error(err)
			}
			tokens[i] = token
		})
	}
	making.Wait()
	for _, token := range tokens {
		if token != tokens[0] || len(token) != 64 {
			t.Errorf("%q and %q", token, tokens[0])
		}
	}
	if runtime.GOOS == "windows" {
		return // which knows no modes
	}
	if info, err := os.Stat(p.AgentTokenFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Chmod(p.AgentTokenFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	if token, err := p.AgentToken(); err == nil {
		t.Errorf("a token that others may read is used: %s", token)
	}
}

func TestAFileWithoutATokenIsRefused(t *testing.T) {
	t.Parallel()
	p := Paths{Data: t.TempDir()}
	if err := os.WriteFile(p.AgentTokenFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := p.AgentToken(); err == nil {
		t.Errorf("the token is %q", token)
	}
}
