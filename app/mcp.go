package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"blendtray/api"
	"blendtray/app/fault"
	"blendtray/app/home"
	"blendtray/control"
	"blendtray/logfile"
	"blendtray/mcp"
)

type mcpCmd struct {
	Serve   mcpServeCmd   `cmd:"" default:"withargs" hidden:""`
	Install mcpInstallCmd `cmd:"" help:"Have a program for agents start this, or not any more."`
	Token   mcpTokenCmd   `cmd:"" help:"Print the token that agents show over HTTP."`
}

type mcpServeCmd struct {
	HTTP string `name:"http" placeholder:"ADDRESS" help:"Answer agents over HTTP on this address of this machine, such as 127.0.0.1:8123, instead of over standard input and output."`
}

func (mcpServeCmd) Help() string {
	return `A program for agents starts "blendtray mcp" and speaks the Model Context Protocol with it over standard input and output. Its agent then has tools that run code in a Blender without a window, in a session of its own. When no engine answers, this process runs one, until the agent has gone and nobody else has a run or a session in it; with "blendtray serve", the sessions of agents outlive the agents' programs. "blendtray mcp install CLIENT" has such a program start it from then on: claude-desktop, claude-code, cursor, vscode, codex or gemini.

    blendtray mcp install claude-code
    claude mcp add blendtray -- blendtray mcp
    blendtray mcp --http 127.0.0.1:8123

Over HTTP, agents are answered at http://ADDRESS/mcp when they show the token of "blendtray mcp token". The setting mcp.http_port has the engine do the same.`
}

// Run serves an agent until its pipe ends, or agents over HTTP until a signal comes.
func (c *mcpServeCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(e)
	defer stop()
	go stopOnSignal(ctx, e.terminal, stop)
	// The heap of this process is small, and would be collected in every tenth call: a third of the time.
	if os.Getenv("GOGC") == "" { // else a person has chosen
		debug.SetGCPercent(agentGC)
	}
	engine := &agentEngine{ctx: ctx, env: e, paths: paths, client: client, turn: make(chan struct{}, 1)}
	options := agentOptions(paths)
	options.Ready = engine.ready
	options.Settings = (&askedSettings{client: client}).get
	if c.HTTP != "" {
		err = c.serveHTTP(ctx, e, mcp.New(client, options), paths)
	} else {
		options.Session = mcp.NewSession()
		go func() { _ = engine.ready(ctx, false) }() // the first call tells of a failure
		err = mcp.New(client, options).ServePipe(ctx, e.stdin, os.Stdout)
		engine.linger(options.Session)
	}
	stop()
	return errors.Join(err, engine.wait())
}

// agentGC is how much garbage there may be for each byte in use, in percent: some 20 MB.
const agentGC = 400

// serveHTTP answers agents over HTTP until ctx ends.
func (c *mcpServeCmd) serveHTTP(ctx context.Context, e *env, server *mcp.Server, paths home.Paths) error {
	if _, err := paths.AgentToken(); err != nil { // makes it if it is not there
		return err
	}
	l, err := mcp.Listen(c.HTTP)
	if err != nil {
		return fault.New(fault.Usage, "give an address of this machine with a port that is free, such as 127.0.0.1:8123", "%w", err)
	}
	e.note("agents are answered at http://%s%s; `blendtray mcp token` prints the token that they need", l.Addr(), mcp.Path)
	return server.ServeHTTP(ctx, l, paths.AgentTokenNow)
}

type mcpTokenCmd struct{}

func (mcpTokenCmd) Help() string {
	return `Prints the token that agents show over HTTP, as "Authorization: Bearer TOKEN". Whoever has it can run code as you. It stays the same; remove its file to have a new one made.`
}

// Run prints the token.
func (mcpTokenCmd) Run(e *env) error {
	paths, err := home.Find()
	if err != nil {
		return err
	}
	token, err := paths.AgentToken()
	if err != nil {
		return err
	}
	e.printf("%s\n", token)
	return nil
}

// agentOptions returns how agents are served with the files of a home.
func agentOptions(paths home.Paths) mcp.Options {
	return mcp.Options{
		Version: version,
		Workspace: func(s api.AgentSettings) (string, error) {
			dir := s.Workspace
			if dir == "" {
				dir = paths.Agents()
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return "", fmt.Errorf("make the folder for what agents make: %w", err)
			}
			return dir, nil
		},
		Log: func(ctx context.Context, engine bool) (string, error) {
			path := paths.BlenderLog("")
			if engine {
				path = paths.EngineLog()
			}
			t := &logfile.Tail{Path: path}
			defer t.Close()
			text, _, err := t.Start(ctx, maxAgentLog, logfile.Filter{})
			if errors.Is(err, fs.ErrNotExist) {
				return "", nil
			}
			return string(text), err
		},
	}
}

// maxAgentLog is how many bytes of a log an agent gets.
const maxAgentLog = 32 << 10

// askedSettings are the settings of an engine in another process.
type askedSettings struct {
	client *control.Client

	mu    sync.Mutex
	known api.AgentSettings
	until time.Time
}

// knownTime is how long settings are believed that were asked for: so long a change takes at most.
const knownTime = time.Second

// get returns the settings for agents. It fails when no engine answers.
func (a *askedSettings) get(ctx context.Context) (api.AgentSettings, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().Before(a.until) {
		return a.known, nil
	}
	report, err := a.client.Settings(ctx)
	if err != nil {
		return a.known, err
	}
	if s, ok := report.Find("mcp.allow"); ok {
		if err := a.known.Allow.UnmarshalText([]byte(s.Text())); err != nil {
			return a.known, fmt.Errorf("mcp.allow of the engine: %w", err)
		}
	}
	if s, ok := report.Find("mcp.workspace"); ok {
		a.known.Workspace = s.Text()
	}
	if s, ok := report.Find("mcp.confine"); ok {
		a.known.Confine = s.Text() == "true"
	}
	a.until = time.Now().Add(knownTime)
	return a.known, nil
}

// agentEngine is the engine that agents are served from: one that runs already, or one in this process.
type agentEngine struct {
	ctx    context.Context // an engine in this process runs until it ends
	env    *env
	paths  home.Paths
	client *control.Client
	// answers is true when an engine has answered.
	answers atomic.Bool

	// turn has room for the call that looks for an engine, or starts one.
	turn chan struct{}

	mu    sync.Mutex
	own   *house
	err   error // with which the engine in this process has ended
	parts sync.WaitGroup
}

// engineTime is how long an engine that was started, or that another process is, may take to answer.
const engineTime = time.Minute

// ready waits until an engine answers, and starts one in this process when there is none. lost says that
// the engine that was there does not answer.
func (a *agentEngine) ready(ctx context.Context, lost bool) error {
	if a.answers.Load() && !lost {
		return nil
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	const lookTime = 5 * time.Millisecond
	for began := time.Now(); ; {
		_, err := a.client.Sessions(ctx)
		if err == nil {
			a.answers.Store(true)
			return nil
		}
		if !errors.Is(err, control.ErrNoEngine) && !errors.Is(err, control.ErrLost) {
			return err
		}
		if own, failed := a.inProcess(); failed != nil {
			return failed
		} else if !own && !home.EngineRuns(a.paths) {
			if err := a.start(); err != nil {
				return err
			}
		}
		if time.Since(began) > engineTime {
			return fmt.Errorf("an engine runs and does not answer; `blendtray doctor` says more: %w", err)
		}
		select {
		case <-time.After(lookTime): // it has just been started, and does not listen yet
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inProcess reports whether an engine runs in this process, or with which error it has ended. The error is
// reported once, so that the next call tries again.
func (a *agentEngine) inProcess() (own bool, failed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	failed, a.err = a.err, nil
	return a.own != nil, failed
}

// start starts an engine in this process, unless another process has been faster.
func (a *agentEngine) start() error {
	if a.ctx.Err() != nil {
		return api.ErrStopping
	}
	h, err := openHouse(a.paths, homeSource(a.paths), a.env.terminal)
	if home.EngineRuns(a.paths) && err != nil {
		return nil // another process was faster
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.own = h
	a.mu.Unlock()
	a.parts.Go(func() {
		ctx, stop := context.WithCancel(a.ctx)
		defer stop()
		err := h.serve(ctx, stop)
		h.close()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.own, a.err = nil, err
	})
	return nil
}

// wait waits until the engine in this process has ended, and returns its error.
func (a *agentEngine) wait() error {
	a.parts.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// lingerTime is how often an engine looks whether somebody needs it whose agent has gone.
const lingerTime = 300 * time.Millisecond

// linger returns when nobody needs the engine in this process any more: the run of the agent that has gone
// has ended, and so have the runs and sessions of others. Without an engine in this process it returns at
// once. session is the session of the agent.
func (a *agentEngine) linger(session string) {
	for a.ctx.Err() == nil {
		a.mu.Lock()
		own := a.own
		a.mu.Unlock()
		if own == nil || !a.needed(session) {
			return
		}
		select {
		case <-time.After(lingerTime):
		case <-a.ctx.Done():
		}
	}
}

// needed reports whether a run goes on or waits, or a session is there that is not the named one.
func (a *agentEngine) needed(session string) bool {
	runs, err := a.client.Runs(a.ctx, api.Filter{Limit: 1, States: []api.State{api.Queued, api.Running}})
	if err != nil || len(runs) > 0 {
		return err == nil
	}
	sessions, err := a.client.Sessions(a.ctx)
	if err != nil {
		return false // the engine has ended
	}
	for _, s := range sessions {
		if s.Name != session && s.State != api.SessionEnded && s.State != api.SessionCrashed {
			return true
		}
	}
	return false
}
