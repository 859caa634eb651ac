//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// place is a home, the folders that its engine watches, and what has happened there.
type place struct {
	dir, home, binary string
	scene, process    string // the watched folders, by their isolation
	outside           string // where writers prepare files; on the disk of the folders
	ledger            string // where scripts write down that they begin and end
	others            string // the watched folder of another user, whose number is uid; "" when there is none
	uid               int
	mounted           bool // the home is a small disk

	engine *exec.Cmd
	ended  chan error // receives the end of the engine
	log    *os.File
	deaths map[string]int
	tokens atomic.Int64

	mu     sync.Mutex
	saved  map[string]*save // by token
	latest map[string]*save // by path
	begun  map[string]int
	done   map[string]bool
	torn   map[string]bool
	news   chan struct{} // closed when the ledger has grown
}

// save is one save of a script.
type save struct {
	token, path, hash string
	how               string
	at                time.Time
}

// homeSize returns the size in bytes of the disk of the home, where a disk of its own can be had. A run
// with its script takes some 6 kB in the database.
func homeSize(saves int) int { return max(512<<20, 128<<20+saves*10_000) }

// newPlace makes a place in a folder for so many saves. Writers pause for gap at the most.
func newPlace(dir, binary string, saves int, gap time.Duration) (*place, error) {
	p := &place{
		dir: dir, home: filepath.Join(dir, "home"), binary: binary,
		scene: filepath.Join(dir, "scripts"), process: filepath.Join(dir, "process"),
		outside: filepath.Join(dir, "outside"), ledger: filepath.Join(dir, "ledger"),
		deaths: map[string]int{}, saved: map[string]*save{}, latest: map[string]*save{},
		begun: map[string]int{}, done: map[string]bool{}, torn: map[string]bool{}, news: make(chan struct{}),
	}
	for _, d := range []string{p.home, p.scene, p.process, p.outside} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	if err := syscall.Mount("tmpfs", p.home, "tmpfs", 0, fmt.Sprintf("mode=0700,size=%d", homeSize(saves))); err == nil {
		p.mounted = true
	}
	settings := fmt.Sprintf(`[runs]
history = 10000000
[[folder]]
path = %q
isolation = "scene"
run_existing = true
[[folder]]
path = %q
isolation = "process"
run_existing = true
`, p.scene, p.process)
	if err := p.makeOther(); err != nil {
		fmt.Println("soak: no saves by another user:", err)
	} else {
		// What is found of another user's file when the engine starts must stay as it is for settle.
		settings += fmt.Sprintf("[[folder]]\npath = %q\nisolation = \"scene\"\nrun_existing = true\ntrust = \"anyone\"\nsettle = %q\n", p.others, gap+time.Second/2)
	}
	if err := os.WriteFile(filepath.Join(p.home, "settings.toml"), []byte(settings), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.ledger, nil, 0o600); err != nil {
		return nil, err
	}
	var err error
	if p.log, err = os.Create(filepath.Join(dir, "engine.log")); err != nil {
		return nil, err
	}
	go p.follow()
	return p, nil
}

// close ends the engine, if it is there, and gives back the disk.
func (p *place) close() {
	if p.engine != nil {
		_ = p.engine.Process.Kill() // it may have ended
		<-p.ended
		p.engine = nil
	}
	if p.mounted {
		_ = syscall.Unmount(p.home, syscall.MNT_DETACH) // the temporary folder stays otherwise
		p.mounted = false
	}
}

// keep copies the history from the small disk, which goes, to where it stays.
func (p *place) keep() error {
	text, err := os.ReadFile(filepath.Join(p.home, "runs.db"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, "runs.db"), text, 0o600)
}

// start starts the engine.
func (p *place) start() error {
	p.engine = p.engineCommand()
	p.engine.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
	p.engine.Stdout, p.engine.Stderr = p.log, p.log
	if err := p.engine.Start(); err != nil {
		return err
	}
	ended, engine := make(chan error, 1), p.engine
	p.ended = ended
	go func() { ended <- engine.Wait() }()
	return nil
}

// stop ends the engine cleanly. It fails when the engine does not end well, and in time.
func (p *place) stop() error {
	if err := p.engine.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-p.ended:
		p.engine = nil
		return err
	case <-time.After(3 * time.Minute):
		return errors.New("the engine did not end in three minutes")
	}
}

// script returns a script with a token of its own, and that token. The script writes into the ledger
// when it begins, and when it has come to its end with all its lines; in between it takes its time.
func (p *place) script(lines int, takes time.Duration) (token string, code []byte) {
	token = fmt.Sprintf("t%08d", p.tokens.Add(1))
	var b bytes.Buffer
	fmt.Fprintf(&b, "import os\nledger = os.open(%q, os.O_WRONLY | os.O_APPEND)\nos.write(ledger, b'begin %s\\n')\nseen = []\n", p.ledger, token)
	if takes > 0 {
		fmt.Fprintf(&b, "import time\ntime.sleep(%g)\n", takes.Seconds())
	}
	for range lines {
		fmt.Fprintf(&b, "seen.append(%q)\n", token)
	}
	fmt.Fprintf(&b, "os.write(ledger, b'end %s\\n' if seen == [%q] * %d else b'torn %s\\n')\nos.close(ledger)\n", token, token, lines, token)
	return token, b.Bytes()
}

// note writes down that a script is being saved. It is called before the save.
func (p *place) note(token, path, how string, code []byte) {
	sum := sha256.Sum256(code)
	s := &save{token: token, path: path, how: how, hash: hex.EncodeToString(sum[:]), at: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved[token], p.latest[path] = s, s
}

// follow reads the ledger as it grows.
func (p *place) follow() {
	f, err := os.Open(p.ledger)
	if err != nil {
		panic(err) // it was made a moment ago
	}
	defer f.Close() // read only
	lines := bufio.NewReader(f)
	half := ""
	for {
		text, err := lines.ReadString('\n')
		if half += text; errors.Is(err, io.EOF) {
			time.Sleep(2 * time.Millisecond) // nothing announces what a file gets
			continue
		}
		if err != nil {
			return
		}
		word, token, _ := strings.Cut(strings.TrimSpace(half), " ")
		half = ""
		p.mu.Lock()
		switch word {
		case "begin":
			p.begun[token]++
		case "end":
			p.done[token] = true
		case "torn":
			p.torn[token] = true
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
	}
}

// probe saves a script in the way that is seen at once, and returns its token.
func (p *place) probe() (token string) {
	token, code := p.script(1, 0)
	path := filepath.Join(p.scene, "probe.py")
	p.note(token, path, "probe", code)
	temp := filepath.Join(p.outside, token)
	if os.WriteFile(temp, code, 0o600) == nil {
		_ = os.Rename(temp, path) // then it counts as lost
	}
	return token
}

// waitRun waits until a script has begun. It fails when ctx ends, or when that takes two minutes.
func (p *place) waitRun(ctx context.Context, token string) error {
	limit := time.After(2 * time.Minute)
	for {
		p.mu.Lock()
		begun, news := p.begun[token] > 0, p.news
		p.mu.Unlock()
		if begun {
			return nil
		}
		select {
		case <-news:
		case <-limit:
			return errors.New("it has not begun in two minutes")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waiting returns how many of the newest saves have not begun.
func (p *place) waiting() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.latest {
		if p.begun[s.token] == 0 {
			n++
		}
	}
	return n
}

// settle waits until every newest save has begun and no more runs are made, as long as something
// happens. It returns the paths of those that have not.
func (p *place) settle(ctx context.Context) (stuck []string) {
	const patience = 90 * time.Second
	last, since := -1, time.Now()
	for ctx.Err() == nil && time.Since(since) < patience {
		n := p.unfinished()
		if n == 0 {
			return nil
		}
		if n != last {
			last, since = n, time.Now()
		}
		time.Sleep(100 * time.Millisecond) // the state of the runs is asked for, and not told
	}
	return append(stuck, p.live()...)
}

// unfinished returns how many runs wait or are running, or 1 when the engine does not answer. When
// none is, saves that have not begun are counted, for as long as they may still be noticed.
func (p *place) unfinished() int { return len(p.live()) + p.waitingLately() }

// waitingLately counts the saves that were made a moment ago and have not begun.
func (p *place) waitingLately() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.latest {
		if p.begun[s.token] == 0 && time.Since(s.at) < 15*time.Second {
			n++
		}
	}
	return n
}

// live returns the runs that have not ended, as "state script".
func (p *place) live() (all []string) {
	cmd := exec.Command(p.binary, "runs", "--state", "queued", "--state", "running", "-n", "1000")
	cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
	out, err := cmd.Output()
	if err != nil {
		return []string{"the engine does not answer"}
	}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 1 && (fields[1] == "queued" || fields[1] == "running") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// blenders returns the processes of the Blenders of this home.
func (p *place) blenders() (pids []int) {
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	for _, file := range procs {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(p.home+"/cache/blenders/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// orphans returns the processes that are left some time after the engine has ended.
func (p *place) orphans() (left []string) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		pids := p.blenders()
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			for _, pid := range pids {
				left = append(left, fmt.Sprintf("process %d", pid))
			}
			return left
		}
	}
}

// coldStarts measures how long a Blender takes from its start to the first line of a script.
func (p *place) coldStarts(ctx context.Context, n int) (times []time.Duration, err error) {
	for range n {
		token, code := p.script(1, 0)
		path := filepath.Join(p.outside, token+".py")
		if err := os.WriteFile(path, code, 0o600); err != nil {
			return nil, err
		}
		began := time.Now()
		cmd := exec.CommandContext(ctx, "blender", "--background", "--factory-startup", "--python", path)
		if err := cmd.Start(); err != nil {
			return nil, fmt.Errorf("start Blender: %w", err)
		}
		err := p.waitRun(ctx, token)
		times = append(times, time.Since(began))
		if err := errors.Join(err, cmd.Wait()); err != nil {
			return nil, err
		}
	}
	return times, nil
}
