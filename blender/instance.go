package blender

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"

	"blendtray/api"
)

// instance is one life of a supervised Blender: a process and the session with it.
type instance struct {
	sup     *Supervisor
	spec    api.BlenderSpec // the specification of this life
	proc    *process
	conn    net.Conn // the connection with the process, or nil where it has only its port
	session *Session
	stream  *stream
	token   string
	version string
	began   time.Time
	start   start
	read    string      // the fingerprint of start, taken right before the start
	linked  string      // the fingerprint of the linked libraries
	temp    *tempFolder // the folder for its crash reports
	report  []byte      // the crash report that the process left; set before the process's exited is closed
	faults  []byte      // what Python has written into its file of faults; set with report

	ready chan struct{} // closed at the ready mark
	says  readiness     // set before ready is closed
	// isMarked: the ready mark has come; for the goroutine that reads the pipe.
	isMarked bool

	retired chan struct{} // closed when another instance should take its place
	retire  sync.Once

	hears hearsDeath    // of the goroutine that reads the pipe
	dies  chan struct{} // holds a signal when Blender has printed that it dies

	mu       sync.Mutex
	greeted  *Session // the session, for goroutines that do not wait until Blender is ready
	reports  bool     // Blender has printed that it writes a report of its crash
	hung     bool     // the process was killed because it hung while it crashed
	active   *activeRun
	runs     int  // how many runs it has executed
	spent    bool // nothing in the process is of use any more, so it is killed at once
	reason   string
	crashed  bool     // a run is to blame for the end of the process
	used     bool     // a run has ended in the process, of whatever session
	stopping bool     // the end of the process is wanted
	gone     bool     // the process has ended
	temps    []string // the folders for temporary files that Blender has begun since it was ready
	withdraw func()   // undoes announce
	tail     []byte
}

// tailSize is how many bytes of the last output are kept for messages.
const tailSize = 16 << 10

func newInstance(s *Supervisor, spec api.BlenderSpec, temp *tempFolder, token, mark string) *instance {
	i := &instance{
		sup: s, spec: spec, began: time.Now(), temp: temp, token: token, ready: make(chan struct{}), retired: make(chan struct{}),
		hears: newHearsDeath(temp.path), dies: make(chan struct{}, 1),
	}
	i.stream = newStream(mark, i.printed, i.marked)
	return i
}

// printed takes text that Blender has printed into the pipe.
func (i *instance) printed(p []byte) {
	_, _ = i.sup.printed.Write(p) // it never fails
	i.mu.Lock()
	i.tail = appendTail(i.tail, p, tailSize)
	run := i.active
	dies, reports := i.hears.hear(p)
	i.reports = i.reports || reports
	i.mu.Unlock()
	if dies {
		signal(i.dies)
	}
	if run != nil {
		run.output(p)
	}
}

// marked takes a mark that has come through the pipe.
func (i *instance) marked(kind markKind, rest []byte) {
	i.mu.Lock()
	run := i.active
	i.mu.Unlock()
	switch kind {
	case markReady:
		var says readiness
		if !i.isMarked && json.Unmarshal(rest, &says) == nil {
			i.isMarked, i.says = true, says
			close(i.ready)
		}
	case markPreparing:
		if run != nil && run.key == string(rest) {
			run.prepare()
		}
	case markBegin:
		if run != nil && run.key == string(rest) {
			run.begin()
		}
	case markTemp:
		var folder string
		if json.Unmarshal(rest, &folder) == nil {
			i.mu.Lock()
			i.temps = append(i.temps, folder)
			i.mu.Unlock()
		}
	case markEnd:
		i.mu.Lock()
		i.used = true
		i.mu.Unlock()
		if run != nil && run.key == string(rest) {
			run.end()
		}
	}
}

// buried takes the crash report that the process has left, and removes its temporary files.
func (i *instance) buried() {
	i.report, i.faults = newestReport(i.temp.path), faultsIn(faultsFile(i.temp.path))
	i.temp.remove()
	if i.isReady() {
		removeSession(i.says.Temp)
	}
	i.mu.Lock()
	for _, folder := range i.temps {
		removeSession(folder)
	}
	if i.greeted == nil { // a session ends by itself, when it has read all that Blender has sent
		i.hangUp()
	}
	withdraw := i.withdraw
	i.withdraw, i.gone = nil, true
	i.mu.Unlock()
	if withdraw != nil {
		withdraw()
	}
}

// isReady returns whether the ready mark has come.
func (i *instance) isReady() bool {
	select {
	case <-i.ready:
		return true
	default:
		return false
	}
}

// hangUp closes the connection with the process.
func (i *instance) hangUp() {
	if i.conn != nil {
		i.conn.Close() // the process has gone
	}
}

// dial opens the session with a Blender that is ready: over the socket that it was handed, or where a
// wrapper around Blender has kept the socket back, over its port.
func (i *instance) dial(ctx context.Context) (*Session, error) {
	if i.conn != nil && i.says.Socket {
		return newSession(ctx, i.conn, greeting{})
	}
	i.hangUp()
	return Dial(ctx, fmt.Sprintf("127.0.0.1:%d", i.says.Port), i.token)
}

// announce tells other programs how they reach the Blender.
func (i *instance) announce() {
	if i.sup.cfg.Announce == nil {
		return
	}
	withdraw := i.sup.cfg.Announce(i.proc.pid(), i.says.Port, i.token)
	i.mu.Lock()
	gone := i.gone
	if !gone {
		i.withdraw = withdraw
	}
	i.mu.Unlock()
	if gone {
		withdraw()
	}
}

// readiness is what the ready mark says.
type readiness struct {
	Port   int    `json:"port"`
	Temp   string `json:"temp"`   // the folder for temporary files that Blender has named
	Socket bool   `json:"socket"` // Blender has the socket that it was handed
}

// heed waits for the word that Blender is unfit for another run, and then has the instance
// replaced. It returns when the session is closed.
func (i *instance) heed() {
	select {
	case reason := <-i.session.Unclean():
		i.retireFor(reason)
	case <-i.session.Closed():
	}
}

// retireFor has the instance replaced as soon as no run is executed in it.
func (i *instance) retireFor(reason string) {
	i.retire.Do(func() {
		i.mu.Lock()
		i.reason = reason
		i.mu.Unlock()
		close(i.retired)
	})
}

// discardFor has the instance replaced as [instance.retireFor] does, and has its process killed at
// once.
func (i *instance) discardFor(reason string) {
	i.mu.Lock()
	i.spent = true
	i.mu.Unlock()
	i.retireFor(reason)
}

func (i *instance) why() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.reason
}

// blame notes that a run is to blame for the end of the process.
func (i *instance) blame() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.crashed = true
}

// blamed returns whether a run is to blame for the end of the process: the current run or an
// earlier run, which may have left a thread or broken data behind, or whose clean-up fails.
func (i *instance) blamed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.crashed || i.used || i.runs > 0 || i.active != nil && i.active.isUnderway()
}

// hungInCrash returns whether the process was killed because it hung while it crashed.
func (i *instance) hungInCrash() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hung
}

// wantedToStop returns whether the end of the process is wanted.
func (i *instance) wantedToStop() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stopping
}

// stop ends the process and returns when it is gone. It takes up to four steps and waits for the
// grace time after each: the quit frame, the end of standard input, the signal to terminate, the
// signal to kill. A spent process is killed at once.
func (i *instance) stop(grace time.Duration) {
	i.mu.Lock()
	i.stopping = true
	spent := i.spent
	i.mu.Unlock()
	log := i.sup.log.With("pid", i.proc.pid())
	defer i.session.Close()
	if spent {
		i.proc.kill()
		<-i.proc.exited
		return
	}
	// Nobody waits for this: a Blender that does not read can hold it up.
	go func() {
		_ = i.session.Quit() // if the frame can't be sent, the next step follows
	}()
	if i.proc.wait(grace) {
		return
	}
	log.Info("blender did not quit when asked; closing its standard input")
	_ = i.proc.lifeline.Close() // closed already: the process is gone
	if i.proc.wait(grace) {
		return
	}
	log.Warn("blender did not end with its standard input; terminating it")
	i.proc.terminate()
	if i.proc.wait(grace) {
		return
	}
	log.Warn("blender did not end when terminated; killing it")
	i.proc.kill()
	<-i.proc.exited
}

// failure returns a text that says what happened, with the last lines that Blender printed.
func (i *instance) failure(what string, err error) string {
	text := fmt.Sprintf("%s: %v", what, err)
	i.mu.Lock()
	last := lastLines(i.tail, 50)
	i.mu.Unlock()
	if last == "" {
		return text
	}
	return text + "\n" + last
}

// appendTail appends p to tail, now and then cuts off the front, and returns the result. At least
// the last size bytes are kept, and less than twice as many. A script that prints a short line a
// million times so does not cause a million moves of the whole tail.
func appendTail(tail, p []byte, size int) []byte {
	if len(p) >= size {
		return append(tail[:0], p[len(p)-size:]...)
	}
	if len(tail)+len(p) >= 2*size {
		tail = append(tail[:0], tail[len(tail)+len(p)-size:]...)
	}
	return append(tail, p...)
}

// lastLines returns the last n lines of a text, or the whole text when it has fewer.
func lastLines(text []byte, n int) string {
	text = bytes.TrimSpace(text)
	at := len(text)
	for range n {
		at = bytes.LastIndexByte(text[:at], '\n')
		if at < 0 {
			return string(text)
		}
	}
	return string(text[at+1:])
}
