package api

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The program of an agent chooses its name, and a name may be made to mislead.
func TestTheNameOfAnAgentHarmsNoList(t *testing.T) {
	long := strings.Repeat("é", 100)
	for name, want := range map[string]string{
		"claude-code":                 "claude-code",
		"  a \t\n b  ":                "a b",
		"\x1b[31mred\x07":             "[31mred",
		"exe\u202egpj.py":             "exe gpj.py",
		"half \xff of\u2028 it":       "half of it",
		"\u200b":                      "\u200b",
		long:                          strings.Repeat("é", 30),
		strings.Repeat("x ", 50):      strings.TrimSpace(strings.Repeat("x ", 30)),
		strings.Repeat("x", 59) + "é": strings.Repeat("x", 59),
	} {
		if got := CleanName(name, MaxAgentName); got != want || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	a := Agent{
		Name: long, Call: "\x1b]0;x\x07run", Client: "mcp: " + strings.Repeat(long, 3), Transport: "carrier pigeon", Calls: -1,
		Sessions: []string{"chair", "../etc", "a", "b", "c", "d", "e", "f", "g", "h", "i"},
	}.Clean()
	if len(a.Name) > MaxAgentName || a.Call != "]0;x run" || len(a.Client) > MaxAgentClient || a.Transport != "" || a.Calls != 0 {
		t.Errorf("%+v", a)
	}
	if len(a.Sessions) != MaxAgentSessions || a.Sessions[1] != "a" {
		t.Errorf("%q", a.Sessions)
	}
}

func TestAnAgentInWords(t *testing.T) {
	now := time.Now()
	at := now.Add(-5 * time.Second)
	a := Agent{
		Name: "claude-code", Version: "2.1", Transport: OverPipe, Since: now.Add(-61 * time.Minute), Sessions: []string{"chair"},
		Call: "run_python", CalledAt: &at, Calls: 3, Runs: 1,
	}
	if got, want := a.Words(now), "claude-code 2.1 over a pipe, for 1 h 1 min, session chair, 3 calls, 1 run, last run_python 5 s ago"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	a.Calling = 1
	if got := a.Words(now); !strings.HasSuffix(got, ", run_python goes on") {
		t.Error(got)
	}
	if got, want := (Agent{Transport: OverHTTP, Since: now.Add(time.Hour)}).Words(now), "an agent without a name over HTTP, for 0 s, 0 calls, 0 runs"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
