package app

import (
	"bytes"
	"strings"
	"sync"
)

// answer waits for a line in the output of a program.
type answer struct {
	mark  []byte
	found chan []byte

	mu   sync.Mutex
	text []byte
	done bool
}

// maxAnswer limits how much of a program's output is kept until the answer comes.
const maxAnswer = 1 << 20

func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done || len(a.text) > maxAnswer {
		return len(p), nil
	}
	a.text = append(a.text, p...)
	if _, rest, ok := bytes.Cut(a.text, a.mark); ok {
		if line, _, whole := bytes.Cut(rest, []byte("\n")); whole {
			a.done = true
			a.found <- bytes.Clone(line)
		}
	}
	return len(p), nil
}

func (a *answer) all() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return bytes.Clone(a.text)
}

// lastLine returns the last line of a text, without the empty lines at its end.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
