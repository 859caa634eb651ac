//go:build !headless

package tray

import (
	"bytes"
	"encoding/json"
	"sync"
)

// The names under which the console keeps what it keeps for the next window.
const (
	consoleFile = "console.json"
	historyFile = "console-history.jsonl"
)

const (
	// maxHistory and maxHistoryBytes bound the scripts that the console remembers, and maxCode each
	// of them.
	maxHistory      = 1000
	maxHistoryBytes = 1 << 20
	maxCode         = 64 << 10
	// maxTranscript is how many bytes of the transcript are kept for the next window.
	maxTranscript = 1 << 20
)

// keptConsole is what a window keeps of the console for the next window, beside the history.
type keptConsole struct {
	// Session is the session in which code runs, "" for the scene of the last run.
	Session string `json:"session"`
	// Run is the run whose end was not shown, or "", and Have how many bytes of its output are in the
	// transcript.
	Run        string `json:"run"`
	Have       int64  `json:"have"`
	Transcript string `json:"transcript"`
}

// encodeHistory returns scripts, oldest first, as the history file has them: each is a line of JSON. It
// leaves out old scripts where there are too many.
func encodeHistory(sent []string) []byte {
	var lines [][]byte
	size := 0
	for i := len(sent) - 1; i >= 0 && len(lines) < maxHistory; i-- {
		if len(sent[i]) > maxCode {
			continue
		}
		line, _ := json.Marshal(sent[i]) // a text can be encoded
		if size += len(line) + 1; size > maxHistoryBytes {
			break
		}
		lines = append(lines, line)
	}
	var b bytes.Buffer
	for i := len(lines) - 1; i >= 0; i-- {
		b.Write(lines[i])
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// decodeHistory returns the scripts of a history file. It leaves out lines that are none.
func decodeHistory(text []byte) (sent []string) {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		var code string
		if json.Unmarshal(line, &code) == nil && code != "" {
			sent = append(sent, code)
		}
	}
	return sent[max(0, len(sent)-maxHistory):]
}

// transcript is the newest of what the console has shown. Any goroutine may call its methods.
type transcript struct {
	mu   sync.Mutex
	text []byte
	had  int64 // counts changes
}

// add adds text at the end.
func (t *transcript) add(text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.had++
	t.text = append(t.text, text...)
	if len(t.text) > 2*maxTranscript { // so that not each text moves all others
		t.text = bytes.Clone(newestLines(t.text, maxTranscript))
	}
}

func (t *transcript) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.had++
	t.text = nil
}

func (t *transcript) isEmpty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.text) == 0
}

// endsOpen reports whether the last line has no end.
func (t *transcript) endsOpen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.text) > 0 && t.text[len(t.text)-1] != '\n'
}

// newest returns what the next window gets, and a number that changes with the transcript.
func (t *transcript) newest() (text string, version int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(newestLines(t.text, maxTranscript)), t.had
}

// newestLines returns the end of a text, from the beginning of a line, of at most so many bytes. Of a
// single line that is longer, it returns the end.
func newestLines(text []byte, most int) []byte {
	if len(text) <= most {
		return text
	}
	end := text[len(text)-most:]
	if i := bytes.IndexByte(end, '\n'); i >= 0 && i+1 < len(end) {
		return end[i+1:]
	}
	return bytes.ToValidUTF8(end, nil)
}

// keptFiles writes what the console keeps, one file after the other, on a goroutine of its own.
type keptFiles struct {
	keep func(name string, text []byte) error

	mu      sync.Mutex
	waiting map[string]func() []byte
	writing bool
	idle    *sync.Cond
}

func newKeptFiles(keep func(name string, text []byte) error) *keptFiles {
	k := &keptFiles{keep: keep, waiting: map[string]func() []byte{}}
	k.idle = sync.NewCond(&k.mu)
	return k
}

// later has what text returns written soon. Of several texts of a name, the last counts.
func (k *keptFiles) later(name string, text func() []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting[name] = text
	if !k.writing {
		k.writing = true
		go k.write()
	}
}

func (k *keptFiles) write() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.waiting) > 0 {
		for name, text := range k.waiting {
			delete(k.waiting, name)
			k.mu.Unlock()
			_ = k.keep(name, text()) // what can't be kept now is tried with the next text
			k.mu.Lock()
			break
		}
	}
	k.writing = false
	k.idle.Broadcast()
}

// flush waits until everything is written.
func (k *keptFiles) flush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.writing {
		k.idle.Wait()
	}
}
