//go:build linux

// Soakfarm has a farm of several engines execute jobs, and meanwhile kills engines, Blenders and the server with
// SIGKILL, freezes engines, and cuts one off from the network. It prints how many jobs were lost, finished
// twice and begun twice, and fails when a job was lost or finished twice, or was begun twice that must not be.
//
//	go run ./e2e/soakfarm -jobs 500 -blows 60 -seed 1
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"blendtray/farm"
)

var (
	jobsFlag    = flag.Int("jobs", 500, "how many jobs there are; every second one may be repeated")
	blowsFlag   = flag.Int("blows", 60, "how often something is killed, frozen or cut off")
	enginesFlag = flag.Int("engines", 3, "how many engines work")
	seedFlag    = flag.Uint64("seed", 0, "what chooses the blows; 0 is any")
	limitFlag   = flag.Duration("limit", time.Hour, "how long all of it may take")
)

// script writes down that it begins and ends, so that what really happened is counted, and not what the farm says.
const script = `import os, sys, time
log, name, takes = sys.argv[-3:]
def note(what):
    f = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(f, f"{what} {name}\n".encode())
    os.fsync(f)
    os.close(f)
note("begin")
time.sleep(float(takes))
note("end")
`

func main() {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	ctx, stop := context.WithTimeout(context.Background(), *limitFlag)
	defer stop()
	dir, err := os.MkdirTemp("", "soakfarm-")
	if err == nil {
		err = soak(ctx, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soakfarm:", err, "(all files are in", dir+")")
		os.Exit(1)
	}
	os.RemoveAll(dir)
}

// place is all that takes part.
type place struct {
	dir, program string
	server       *process
	engines      []*process
	cut          *proxy // between the last engine and the server
	random       *rand.Rand
	blows        map[string]int
}

// process is a program of the farm that is started again after it was killed.
type process struct {
	home string
	args []string
	out  *os.File
	cmd  *exec.Cmd
}

func (p *process) start(program string) error {
	p.cmd = exec.Command(program, p.args...)
	p.cmd.Env = append(os.Environ(), "BLENDTRAY_HOME="+p.home)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	return p.cmd.Start()
}

// kill ends the process at once and starts it again.
func (p *process) kill(program string) error {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // that it was killed is known
	return p.start(program)
}

func (p *process) end() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // these fail for a process that has ended
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	hurry := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	hurry.Stop()
}

func soak(ctx context.Context, dir string) error {
	p := &place{
		dir: dir, program: filepath.Join(dir, "blendtray"), random: rand.New(rand.NewPCG(*seedFlag, 1)), blows: map[string]int{},
	}
	build := exec.CommandContext(ctx, "go", "build", "-tags", "headless", "-o", p.program, "blendtray")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	defer func() {
		for _, e := range p.engines {
			e.end()
		}
		if p.server != nil {
			p.server.end()
		}
	}()
	if err := p.open(ctx); err != nil {
		return err
	}
	m, err := farm.ReadMembership(filepath.Join(p.server.home, "farm", "membership.json"))
	if err != nil {
		return err
	}
	client, err := farm.Dial(ctx, m, farm.DialOptions{})
	if err != nil {
		return err
	}
	defer client.Close()
	log := filepath.Join(dir, "log")
	fmt.Printf("seed %d: %d jobs on %d engines, and %d blows\n", *seedFlag, *jobsFlag, *enginesFlag, *blowsFlag)
	var jobs []farm.Job
	for i := range *jobsFlag {
		name := fmt.Sprintf("job%d", i)
		jobs = append(jobs, farm.Job{
			Kind: farm.KindScript, Name: name, Code: []byte(script), Scene: "fresh", Repeatable: i%2 == 0,
			Args: []string{log, name, fmt.Sprintf("%.2f", 0.1+p.random.Float64())},
		})
	}
	began := time.Now()
	made, err := client.SubmitAll(ctx, jobs)
	if err != nil {
		return err
	}
	struck := make(chan error, 1)
	striking, still := context.WithCancel(ctx)
	go func() { struck <- p.strike(striking) }()
	states, err := follow(ctx, client, made)
	still()
	if err := errors.Join(err, <-struck); err != nil {
		return err
	}
	return p.report(ctx, client, made, states, log, time.Since(began))
}

// invitation finds the line with which others join.
var invitation = regexp.MustCompile(`farm join (bt1\.[A-Za-z0-9_-]+)`)

// open starts the server and the engines.
func (p *place) open(ctx context.Context) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	if p.server, err = p.process("server", "farm", "serve", "--listen", port, "--name", "server"); err != nil {
		return err
	}
	token := ""
	for token == "" {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(50 * time.Millisecond) // between two looks
		text, _ := os.ReadFile(p.server.out.Name())
		if found := invitation.FindSubmatch(text); found != nil {
			token = string(found[1])
		}
	}
	p.cut, err = newProxy(port)
	if err != nil {
		return err
	}
	for i := range *enginesFlag {
		name := fmt.Sprintf("engine%d", i+1)
		home := filepath.Join(p.dir, name)
		join := exec.CommandContext(ctx, p.program, "farm", "join", token, "--name", name, "--yes")
		join.Env = append(os.Environ(), "BLENDTRAY_HOME="+home)
		if out, err := join.CombinedOutput(); err != nil {
			return fmt.Errorf("join: %w: %s", err, out)
		}
		if i == *enginesFlag-1 {
			file := filepath.Join(home, "farm", "membership.json")
			m, err := farm.ReadMembership(file)
			if err != nil {
				return err
			}
			m.URL = "tls://" + p.cut.listener.Addr().String()
			if err := m.Write(file); err != nil {
				return err
			}
		}
		e, err := p.process(name, "serve")
		if err != nil {
			return err
		}
		p.engines = append(p.engines, e)
	}
	return nil
}

func (p *place) process(name string, args ...string) (*process, error) {
	out, err := os.Create(filepath.Join(p.dir, name+".out"))
	if err != nil {
		return nil, err
	}
	one := &process{home: filepath.Join(p.dir, name), args: args, out: out}
	return one, one.start(p.program)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// strike deals the blows, one every few seconds.
func (p *place) strike(ctx context.Context) error {
	for range *blowsFlag {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(500+p.random.IntN(4000)) * time.Millisecond):
		}
		engine := p.engines[p.random.IntN(len(p.engines))]
		var err error
		var what string
		switch n := p.random.IntN(10); {
		case n < 3:
			what, err = "engine killed", engine.kill(p.program)
		case n < 6:
			what = "Blender killed"
			killChild(engine.cmd.Process.Pid, p.random)
		case n < 7:
			what, err = "server killed", p.server.kill(p.program)
		case n < 9:
			what = "engine frozen"
			_ = engine.cmd.Process.Signal(syscall.SIGSTOP)
			p.later(ctx, 40*time.Second, func() { _ = engine.cmd.Process.Signal(syscall.SIGCONT) })
		default:
			what = "engine cut off"
			p.cut.set(true)
			p.later(ctx, 40*time.Second, func() { p.cut.set(false) })
		}
		p.blows[what]++
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// killChild kills a child of a process, if there is one just now: the children of an engine are its Blenders.
func killChild(pid int, random *rand.Rand) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	all, err2 := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || err2 != nil {
		return
	}
	for _, file := range all {
		more, _ := os.ReadFile(file) // the thread may have ended
		text = append(text, more...)
	}
	children := strings.Fields(string(text))
	if len(children) == 0 {
		return
	}
	if child, err := strconv.Atoi(children[random.IntN(len(children))]); err == nil {
		_ = syscall.Kill(child, syscall.SIGKILL) // it may have ended
	}
}

// later undoes a blow after a while, which is longer than a lease every second time.
func (p *place) later(ctx context.Context, most time.Duration, undo func()) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(p.random.Int64N(int64(most)))):
	}
	undo()
}

// follow waits until each job has its end, and returns the ends.
func follow(ctx context.Context, client *farm.Client, made []farm.Job) (map[string]farm.State, error) {
	var ids []string
	for _, job := range made {
		ids = append(ids, job.ID)
	}
	ends := map[string]farm.State{}
	said := time.Now()
	err := client.Follow(ctx, ids, func(u farm.Update) bool {
		if u.Result != nil {
			ends[u.Job] = u.Result.State
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			fmt.Printf("%d of %d jobs have ended\n", len(ends), len(made))
		}
		return len(ends) < len(made)
	})
	return ends, err
}

// report counts, prints and judges.
func (p *place) report(ctx context.Context, client *farm.Client, made []farm.Job, ends map[string]farm.State, log string, took time.Duration) error {
	text, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	begun := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "begin "); ok {
			begun[name]++
		}
	}
	stream, err := client.JetStream().Stream(ctx, "bt-results")
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return err
	}
	lost, never, again, forbidden := 0, 0, 0, 0
	for _, job := range made {
		if ends[job.ID] == "" {
			lost++
		}
		if ends[job.ID] == farm.StateSucceeded && begun[job.Name] == 0 {
			never++
		}
		if begun[job.Name] > 1 {
			again++
			if !job.Repeatable {
				forbidden++
			}
		}
	}
	twice := int(info.State.Msgs) - len(ends)
	count := map[farm.State]int{}
	for _, s := range ends {
		count[s]++
	}
	states, _ := json.Marshal(count) // texts and numbers have a JSON form
	blows, _ := json.Marshal(p.blows)
	fmt.Printf("%d jobs in %s\nends             %s\nblows            %s\n", len(made), took.Round(time.Second), states, blows)
	fmt.Printf("lost             %d\nfinished twice   %d\nbegun twice      %d, of which must not be: %d\nsaid but not run %d\n", lost, twice, again, forbidden, never)
	if lost+twice+forbidden+never > 0 {
		return errors.New("the farm has not kept what it promises")
	}
	return nil
}

// proxy passes connections to the server on, unless it is cut.
type proxy struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	off      bool
	conns    []net.Conn
}

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p, nil
}

func (p *proxy) pass(c net.Conn) {
	up, err := net.Dial("tcp", p.to)
	p.mu.Lock()
	if err != nil || p.off {
		p.mu.Unlock()
		c.Close()
		if err == nil {
			up.Close()
		}
		return
	}
	p.conns = append(p.conns, c, up)
	p.mu.Unlock()
	go func() { _, _ = io.Copy(up, c); up.Close() }()
	_, _ = io.Copy(c, up)
	c.Close()
}

// set cuts all connections, or lets new ones through.
func (p *proxy) set(off bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = off
	if off {
		for _, c := range p.conns {
			c.Close()
		}
		p.conns = nil
	}
}
