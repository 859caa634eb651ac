//go:build !headless

package tray

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestTheHistoryIsKeptWithinItsBounds(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 1500 {
		many = append(many, fmt.Sprintf("x = %d\nprint('日本')", i))
	}
	kept := decodeHistory(encodeHistory(many))
	if len(kept) != maxHistory || !slices.Equal(kept, many[500:]) {
		t.Errorf("%d scripts, the first is %q", len(kept), kept[0])
	}
	long := strings.Repeat("x", maxCode)
	for range 40 {
		many = append(many, long, long+"x", "short")
	}
	text := encodeHistory(many)
	if kept := decodeHistory(text); len(text) > maxHistoryBytes || len(kept) < 20 || kept[len(kept)-1] != "short" || slices.Contains(kept, long+"x") {
		t.Errorf("%d bytes, %d scripts", len(text), len(kept))
	}
	if got := decodeHistory([]byte("\"a\"\nnonsense\n\n12\n\"b")); !slices.Equal(got, []string{"a"}) {
		t.Errorf("of a file that is half nonsense: %q", got)
	}
	if got := decodeHistory(nil); len(got) != 0 {
		t.Errorf("of none: %q", got)
	}
}

func TestTheTranscriptKeepsItsNewestLines(t *testing.T) {
	t.Parallel()
	var tr transcript
	for i := range 300_000 {
		tr.add(fmt.Appendf(nil, "line %d\n", i))
	}
	text, before := tr.newest()
	if len(text) > maxTranscript || len(text) < maxTranscript/2 || !strings.HasPrefix(text, "line ") || !strings.HasSuffix(text, "line 299999\n") {
		t.Errorf("%d bytes, from %.20q", len(text), text)
	}
	if tr.endsOpen() {
		t.Error("a whole line is open")
	}
	tr.add([]byte("open"))
	if _, after := tr.newest(); !tr.endsOpen() || after == before {
		t.Error("an open line was not noticed")
	}
	tr.clear()
	if text, _ := tr.newest(); text != "" {
		t.Errorf("cleared, it has %q", text)
	}
	tr.add([]byte(strings.Repeat("é", maxTranscript)))
	if text, _ := tr.newest(); len(text) > maxTranscript || strings.Trim(text, "é") != "" {
		t.Errorf("of one long line: %d bytes", len(text))
	}
}

func TestOfWhatIsToBeKeptTheLastIsWritten(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	files := map[string]string{}
	k := newKeptFiles(func(name string, text []byte) error {
		mu.Lock()
		defer mu.Unlock()
		files[name] = string(text)
		return nil
	})
	for i := range 100 {
		k.later("a", func() []byte { return fmt.Append(nil, i) })
		k.later("b", func() []byte { return fmt.Append(nil, -i) })
	}
	k.flush()
	if files["a"] != "99" || files["b"] != "-99" {
		t.Errorf("%v", files)
	}
}
