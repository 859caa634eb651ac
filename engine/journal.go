package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"blendtray/api"
)

// journal is the file in which Blender writes down what becomes of a run; docs/protocol.md has its
// lines. The engine makes the file, with one empty line, before it sends the run, and removes it when
// the end of the run is in the database, or makes the journal of a later run of it. A journal that an
// engine finds at its start belongs to a run that the engine before has left, or that has written files
// while that engine was ending.
type journal struct {
	path string // "" when there is none
	// file is open where [keepsJournalsOpen] and this engine has made the file, and else nil.
	file *os.File
	read int64  // bytes that were read
	half []byte // the beginning of a line whose end was not read yet
	open bool   // it does not begin with noLines: its run is in a Blender that a person has open
	says bool   // there is a line that is not empty and does not come from the engine
	note *note  // of a run that the database may not have; read by the next engine alone
	sent bool   // the run was sent while the database had it as waiting; read by the next engine alone
	// known: the database has had what the journal says of the run, or the run is not there; read by the next
	// engine alone.
	known bool

	there  bool // the file was there when it was read last
	begun  bool
	child  bool // the script has started another program
	wrote  []wrote
	frames rendered // of this journal alone
	ended  *ended
	over   *over
	at     time.Time // when the file was last written
}

// wrote is a line of a journal: the script was about to write a file.
type wrote struct {
	path  string
	inode uint64 // of the file that was there, or 0
	at    time.Time
	// before is set when the file was about to be written in place: its size and the time of its last
	// writing, right before.
	before *written
	// kept is set when the line has explained a save already, which may have been made before it.
	kept bool
	used bool // it explains no other save
}

// written is what shows that a file was written again.
type written struct {
	size     int64 // in bytes
	modified int64 // in ns since 1970
}

// ended is what a journal says of the end of a run.
type ended struct {
	State    api.State        `json:"state"`
	ExitCode int              `json:"exit_code"`
	Seconds  float64          `json:"seconds"`
	Error    *api.ScriptError `json:"error"`
	Result   json.RawMessage  `json:"result"`
	Outputs  []string         `json:"outputs"`
}

// over is the line that the engine itself writes when a run has ended, or waits again, and that is not
// in the database yet: should the engine end before it is, the next engine knows.
type over struct {
	Run    api.Run `json:"run"`
	Again  bool    `json:"again"`
	Repeat bool    `json:"repeat"`
	// Queued: the run waits again, after so many repeats.
	Queued  bool  `json:"queued"`
	Repeats int32 `json:"repeats"`
}

// journalFile returns the path of a run's journal, or "" when the engine keeps none.
func (e *Engine) journalFile(id int64) string {
	if e.cfg.JournalDir == "" {
		return ""
	}
	return filepath.Join(e.cfg.JournalDir, formatID(id))
}

// noLines is what a journal has at its beginning. It is not empty, because ext4 writes a file to the disk
// at its next close after it was made empty.
const noLines = "\n"

// spareJournals are the journals of short runs whose end is in the database. The next runs get them under
// other names: to make a file takes ext4 the longer the more files were deleted in the last minutes, which
// at hundreds of runs a second was a sixth of the engine's processor time. A spare journal has no lines.
type spareJournals struct {
	mu  sync.Mutex
	all []*journal
}

// mostSpares is how many journals are kept for later runs; as many runs can be running without a new
// file.
const mostSpares = 16

// put keeps the file of a journal for a later run, without its lines, and returns false when that can't be
// done or enough are kept.
func (s *spareJournals) put(j *journal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= mostSpares || j.truncate() != nil {
		return false
	}
	s.all = append(s.all, &journal{path: j.path, file: j.file})
	j.path, j.file = "", nil
	return true
}

// take makes a kept journal the journal of another run, and returns nil where there is none.
func (s *spareJournals) take(path string) *journal {
	s.mu.Lock()
	if len(s.all) == 0 {
		s.mu.Unlock()
		return nil
	}
	j := s.all[len(s.all)-1]
	s.all = s.all[:len(s.all)-1]
	s.mu.Unlock()
	if err := os.Rename(j.path, path); err != nil {
		j.remove() // the next start of the engine removes what stays
		return nil
	}
	j.path = path
	// A process of the run before may have written since.
	if text, err := j.readFrom(0, len(noLines)+1); err != nil || string(text) != noLines {
		j.close()
		return nil
	}
	return j
}

// remove removes the kept journals.
func (s *spareJournals) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.all {
		j.remove() // the next start of the engine removes what stays
	}
	s.all = nil
}

// beginJournal makes the journal of a run, with a first line that the engine writes, or with none where
// first is "". Without a journal the run is executed all the same, and counts as begun from then on. So
// does a run in a Blender that a person has open, whose journal is not empty from the beginning: the
// add-on there may be an older one, which keeps no journal.
func (e *Engine) beginJournal(id int64, open bool, first string) *journal {
	path := e.journalFile(id)
	if path == "" {
		return &journal{}
	}
	var j *journal
	if !open {
		j = e.spares.take(path)
	}
	var err error
	if j == nil {
		j = &journal{path: path, open: open}
		text := noLines
		if open {
			text = "open\n"
		}
		err = os.WriteFile(path, []byte(text), 0o600)
		if err == nil && keepsJournalsOpen {
			j.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
		}
	}
	if err == nil && first != "" {
		err = j.write(first)
		j.read = int64(len(noLines) + len(first))
	}
	if err != nil {
		e.log.Warn("a run has no journal", "run", id, "error", err)
		j.close()
		_ = os.Remove(path) // an older file would tell of another run
		return &journal{}
	}
	return j
}

// truncate removes all lines.
func (j *journal) truncate() error {
	if j.file != nil {
		return j.file.Truncate(int64(len(noLines)))
	}
	return os.Truncate(j.path, int64(len(noLines)))
}

// write appends to the file.
func (j *journal) write(text string) error {
	f := j.file
	if f == nil {
		var err error
		if f, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0); err != nil {
			return err
		}
		defer f.Close() // what was written is in the file
	}
	_, err := f.WriteString(text)
	return err
}

// readFrom returns what the file has from an offset on, at most so many bytes.
func (j *journal) readFrom(offset int64, most int) ([]byte, error) {
	f := j.file
	if f == nil {
		var err error
		if f, err = os.Open(j.path); err != nil {
			return nil, err
		}
		defer f.Close() // read only
	}
	text := make([]byte, most)
	n, err := f.ReadAt(text, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text[:n], err
}

// close closes the file, which stays.
func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close() // nothing that was written waits
		j.file = nil
	}
}

// remove removes the file. Where that fails, because a process has it open on Windows, it notes that the run
// is in the database, or deleted from it, so that the next engine does not bring the run back.
func (j *journal) remove() {
	j.close()
	if j.path == "" {
		return
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.noteKnown() // the next start of the engine removes what stays
	}
	j.path = ""
}

// noteKnown notes that the next engine has nothing to take from the journal into the database.
func (j *journal) noteKnown() {
	_ = j.write("\n" + knownWord + "\n") // Blender may have died in the middle of a line
}

// isPlain reports whether the journal shows a run from its beginning to its end, and no process that
// may still write into the file.
func (j *journal) isPlain() bool {
	return j.path != "" && j.begun && j.ended != nil && j.over == nil && !j.child && len(j.half) == 0
}

// end writes into the journal of a run that the run has ended, or waits again. What fails here costs
// only what the next engine would know.
func (j *journal) end(o over) {
	if j.path == "" {
		return
	}
	o.Run.Output = ""
	text, err := json.Marshal(o)
	if err != nil {
		return
	}
	_ = j.write("\nover " + string(text) + "\n") // Blender may have died in the middle of a line
}

// dropJournal removes the journal of a job whose state is in the database, or keeps the file for a later
// run. Where the engine is ending and the script has written files, the journal stays: the next engine finds
// the files, and learns from the journal who has written them.
func (e *Engine) dropJournal(j *job) {
	e.mu.Lock()
	stopping := e.stopping
	e.mu.Unlock()
	switch {
	case stopping && len(j.journal.wrote) > 0:
		j.journal.noteKnown()
		j.journal.close()
	case !stopping && !j.journal.open && j.journal.isPlain() && len(j.journal.wrote) == 0 && e.spares.put(j.journal):
	default:
		j.journal.remove()
	}
}

// look reads what was written into the journal since the last look.
func (j *journal) look() {
	if j.path == "" {
		return
	}
	f := j.file
	if f == nil {
		var err error
		if f, err = os.Open(j.path); err != nil {
			j.there = j.there && !errors.Is(err, fs.ErrNotExist)
			return
		}
		defer f.Close() // read only
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	if j.there = !hasNoName(info); !j.there {
		return
	}
	j.at = info.ModTime()
	if info.Size() <= j.read {
		return
	}
	text := make([]byte, info.Size()-j.read)
	n, _ := f.ReadAt(text, j.read) // what can't be read now is read at the next look
	text = text[:n]
	j.read += int64(n)
	j.half = append(j.half, text...)
	for {
		line, rest, whole := bytes.Cut(j.half, []byte("\n"))
		if !whole {
			return
		}
		j.line(string(line))
		j.half = rest
	}
}

// line takes a line of the journal.
func (j *journal) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word { // what the engine writes first tells nothing of what was executed
	case madeWord:
		n := &note{}
		if j.note == nil && json.Unmarshal([]byte(rest), n) == nil {
			j.note = n
		}
		return
	case sentWord:
		j.sent = true
		return
	case knownWord:
		j.known = true
		return
	}
	j.says = j.says || line != ""
	switch word {
	case "begun":
		j.begun = true
	case "child":
		j.child = true
	case "wrote":
		parts := strings.SplitN(rest, " ", 3)
		if len(parts) < 3 {
			return
		}
		w := wrote{}
		err1 := w.file(parts[0])
		at, err2 := strconv.ParseInt(parts[1], 10, 64)
		if errors.Join(err1, err2, json.Unmarshal([]byte(parts[2]), &w.path)) == nil {
			w.at = time.Unix(0, at)
			j.wrote = append(j.wrote, w)
		}
	case "rendering", "rendered":
		if frame, err := strconv.Atoi(rest); err == nil {
			j.frames.note(frame, word == "rendered")
		}
	case "over":
		o := &over{}
		if json.Unmarshal([]byte(rest), o) == nil && (o.Queued || o.Run.State.Final()) {
			j.over = o
		}
	case "ended":
		end := &ended{}
		if json.Unmarshal([]byte(rest), end) == nil && (end.State == api.Succeeded || end.State == api.Failed) {
			j.ended = end
		}
	}
}

// file takes what a line says of the file: INODE, or INODE:SIZE:MODIFIED. It fails for any other text.
func (w *wrote) file(text string) (err error) {
	parts := strings.Split(text, ":")
	if w.inode, err = strconv.ParseUint(parts[0], 10, 64); err != nil || len(parts) == 1 {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("%q is not INODE:SIZE:MODIFIED", text)
	}
	size, err1 := strconv.ParseInt(parts[1], 10, 64)
	modified, err2 := strconv.ParseInt(parts[2], 10, 64)
	w.before = &written{size, modified}
	return errors.Join(err1, err2)
}

// untouched reports whether the journal proves that nothing of the run was executed.
func (j *journal) untouched() bool { return j.there && !j.says && len(j.half) == 0 }

// sweepJournals removes the journals that the engine before has left, and remembers the runs that
// have written files.
func (e *Engine) sweepJournals() {
	if e.cfg.JournalDir == "" {
		return
	}
	entries, err := os.ReadDir(e.cfg.JournalDir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		id, ours := parseID(entry.Name())
		if !ours {
			continue
		}
		left := &journal{path: e.journalFile(id)}
		if left.look(); len(left.wrote) > 0 {
			if j, err := e.store.get(context.Background(), id); err == nil { // else the run was deleted
				j.journal, j.execution = left, &execution{over: left.at, until: time.Now().Add(firstScans)}
				e.ended = append(e.ended, j.trace())
			}
		}
		left.remove()
	}
}
