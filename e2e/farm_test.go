//go:build linux

package e2e

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"blendtray/farm"
)

var farmLine = regexp.MustCompile(`farm join (bt1\.[A-Za-z0-9_-]+)`)

// served starts the server of a farm in the home of a program, and returns the line with which others join.
func (p *program) served() (token string) {
	p.t.Helper()
	cmd := p.command("farm", "serve", "--listen", "127.0.0.1:0", "--name", "server")
	out, err := os.Create(filepath.Join(p.t.TempDir(), "serve.out"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("farm serve: %v", err)
		}
	})
	p.eventually("the farm is served", func() bool {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			p.t.Fatal(err)
		}
		found := farmLine.FindSubmatch(text)
		if found != nil {
			token = string(found[1])
		}
		return found != nil
	})
	return token
}

// joined starts a program that has joined a farm, and returns it when the farm knows its Blender.
func joined(t *testing.T, server *program, token, name string) *program {
	t.Helper()
	p := newProgram(t, "")
	if r := p.call("farm", "join", token, "--name", name); r.code == 0 || !strings.Contains(r.stderr, "there is no terminal") {
		t.Errorf("it joins without asking: %+v", r)
	}
	if r := p.call("farm", "join", token, "--name", name, "--yes"); r.code != 0 || !strings.Contains(r.stderr, "SHA256:") {
		t.Fatalf("farm join: %+v", r)
	}
	p.start()
	p.eventually("the farm knows "+name, func() bool {
		var machines []farm.Machine
		r := server.call("farm", "workers", "--json")
		if err := json.Unmarshal([]byte(r.stdout), &machines); err != nil {
			t.Fatalf("farm workers: %v %+v", err, r)
		}
		for _, m := range machines {
			if m.Name == name && len(m.Blenders) > 1 {
				return true
			}
		}
		return false
	})
	return p
}

func TestEnginesShareTheJobsOfAFarm(t *testing.T) {
	t.Parallel()
	server := newProgram(t, "")
	token := server.served()
	one, two := joined(t, server, token, "one"), joined(t, server, token, "two")
	r := two.call("farm", "run", "-c", "import sys, bpy; print('in', bpy.app.version_string, sys.argv[-1])", "--", "there")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "in 3.4.1 there") {
		t.Errorf("farm run: %+v", r)
	}
	if r := two.call("farm", "run", "-c", "1/0"); r.code != 1 || !strings.Contains(r.stderr, "ZeroDivisionError") {
		t.Errorf("a script that fails: %+v", r)
	}
	if r := two.call("farm", "run", "-c", "pass", "--machine", "one", "--json"); r.code != 0 || !strings.Contains(r.stdout, `"machine": "one"`) {
		t.Errorf("on one machine: %+v", r)
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("1\n2\n\n3\n4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "square.py")
	if err := os.WriteFile(script, []byte("import sys, time; time.sleep(0.5); result = int(sys.argv[-1]) ** 2"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []farm.JobStatus
	r = server.call("farm", "map", script, "--each", list, "--json")
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all) != 4 {
		t.Fatalf("farm map: %v %+v", err, r)
	}
	on := map[string]bool{}
	for _, s := range all {
		on[s.Machine] = true
		if s.State != farm.StateSucceeded {
			t.Errorf("%+v", s)
		}
	}
	if len(on) != 2 {
		t.Errorf("the jobs ran on %v", on)
	}
	ran := 0
	for _, p := range []*program{one, two} {
		for _, run := range p.runs() {
			if run.Client == "farm: server" {
				ran++
			}
		}
	}
	if ran != 4 {
		t.Errorf("the histories of the machines have %d of 4 runs", ran)
	}
	if r := one.call("farm", "status"); r.code != 0 || !strings.Contains(r.stdout, "square.py 4") {
		t.Errorf("farm status: %+v", r)
	}
	if r := one.call("farm", "drain", "two"); r.code == 0 || !strings.Contains(r.stderr, "may not administer") {
		t.Errorf("a machine that works drains another: %+v", r)
	}
}

func TestAKilledEngineCostsNoJobOfAFarm(t *testing.T) {
	t.Parallel()
	server := newProgram(t, "")
	token := server.served()
	one := joined(t, server, token, "one")
	begun := filepath.Join(t.TempDir(), "begun")
	begin := func(name string, flags ...string) string {
		t.Helper()
		code := "import os, time\nos.write(os.open(" + `"` + begun + `"` + ", os.O_WRONLY | os.O_APPEND | os.O_CREAT), b'" + name + "\\n')\ntime.sleep(5)"
		r := server.call(append([]string{"farm", "run", "--detach", "-c", code}, flags...)...)
		if r.code != 0 {
			t.Fatalf("%+v", r)
		}
		return strings.TrimSpace(r.stdout)
	}
	state := func(id string) (s farm.JobStatus) {
		t.Helper()
		r := server.call("farm", "status", id, "--json")
		if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
			t.Fatalf("%v %+v", err, r)
		}
		return s
	}
	times := func(name string) int {
		text, _ := os.ReadFile(begun) // nothing has begun yet
		return strings.Count(string(text), name+"\n")
	}
	kill := func() {
		t.Helper()
		if err := one.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = one.cmd.Wait() // it was killed
		one.start()
	}
	once := begin("once")
	one.eventually("the job has begun", func() bool { return times("once") == 1 })
	kill()
	one.eventually("the job is interrupted for good", func() bool {
		s := state(once)
		return s.State == farm.StateInterrupted && s.Run != "" && strings.Contains(s.Reason, "engine ended")
	})
	again := begin("again", "--repeatable")
	one.eventually("the job has begun", func() bool { return times("again") == 1 })
	kill()
	one.eventually("the job has succeeded", func() bool { return state(again).State == farm.StateSucceeded })
	if s := state(again); len(s.Tries) != 1 || times("again") != 2 || times("once") != 1 {
		t.Errorf("begun %d and %d times, %+v", times("again"), times("once"), s)
	}
}

func TestAnEngineServesTheFarmThatItsSettingsName(t *testing.T) {
	t.Parallel()
	server := newProgram(t, "[farm]\nserve = \"127.0.0.1:0\"\n")
	server.start()
	invite := server.command("farm", "invite")
	said := &program{}
	server.eventually("the engine serves the farm", func() bool {
		return strings.Contains(server.printed(), "the farm is served on tls://127.0.0.1:")
	})
	invite.Stdout, invite.Stderr = lockedWriter{said}, lockedWriter{said}
	if err := invite.Start(); err != nil {
		t.Fatal(err)
	}
	invited := make(chan error, 1)
	go func() { invited <- invite.Wait() }()
	var token string
	server.eventually("the line is printed with which a machine joins", func() bool {
		if found := farmLine.FindStringSubmatch(said.printed()); found != nil {
			token = found[1]
		}
		return token != ""
	})
	one := joined(t, server, token, "one")
	if err := <-invited; err != nil {
		t.Errorf("farm invite: %v\n%s", err, said.printed())
	}
	if r := one.call("farm", "run", "-c", "print('ran')"); r.code != 0 || r.stdout != "ran\n" {
		t.Errorf("%+v", r)
	}
	if r := server.call("farm", "serve", "--listen", "127.0.0.1:0"); r.code != 1 || !strings.Contains(r.stderr, "serves the farm of this home") {
		t.Errorf("a second server of the home: %+v", r)
	}
	if r := one.call("doctor"); !strings.Contains(r.stdout, "this machine is one in the farm of tls://127.0.0.1:") {
		t.Errorf("doctor: %+v", r)
	}
	var machines []farm.Machine
	if r := one.call("farm", "workers", "--json"); json.Unmarshal([]byte(r.stdout), &machines) != nil {
		t.Errorf("%+v", r)
	}
	for _, m := range machines {
		if m.Clock.IsZero() || math.Abs(m.AheadSeconds) > 20 { // what a busy machine takes to send
			t.Errorf("%+v", m)
		}
	}
	if r := server.call("settings", "farm.serve", ""); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	server.eventually("the server has ended", func() bool { return one.call("farm", "workers").code != 0 })
	if r := one.call("doctor"); !strings.Contains(r.stdout, "does not take this machine, one") {
		t.Errorf("doctor: %+v", r)
	}
	if r := server.call("settings", "farm.serve", "nowhere"); r.code != 2 || !strings.Contains(r.stderr, "is no address with a port") {
		t.Errorf("%+v", r)
	}
}
