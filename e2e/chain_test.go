//go:build linux

package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"blendtray/api"
)

// runsOf returns the runs of a script, newest first.
func (p *program) runsOf(path string) (found []api.Run) {
	for _, run := range p.runs() {
		if run.Script == path {
			found = append(found, run)
		}
	}
	return found
}

// saveTextBlock has a script save itself through Blender's own code.
const saveTextBlock = `import bpy
block = bpy.data.texts.load(__file__)
block.write('#\n')
with bpy.context.temp_override(edit_text=block): bpy.ops.text.save()`

func TestAScriptThatSavesItselfRunsOnce(t *testing.T) {
	p := started(t, "[runs]\nisolation = \"scene\"\n")
	for name, how := range map[string]string{
		"append.py":  "open(__file__, 'a').write('#\\n')",
		"rename.py":  "open(__file__ + '.new', 'w').write(text + '#\\n'); os.replace(__file__ + '.new', __file__)",
		"inplace.py": "import fileinput\nfor line in fileinput.input(__file__, inplace=True): print(line + '#')",
		"block.py":   saveTextBlock,
		"twice.py":   "[pathlib.Path(__file__).write_text(text + '#' * i) for i in range(2)]",
	} {
		path := p.save(name, "import os, pathlib, time\ntext = open(__file__).read()\n"+how+`
while not os.path.exists(__file__ + '.go'): time.sleep(0.01)
result = len(open(__file__).read()) > len(text)`)
		p.eventually("its own save is seen", func() bool { return strings.Contains(p.printed(), path+" was saved by its own run") })
		if err := os.WriteFile(path+".go", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if run := p.lastOf(path); run.State != api.Succeeded || string(run.Result) != "true" {
			t.Errorf("%s: %+v", name, run)
		}
		person := p.save(name, "result = 'a person'")
		p.eventually("a person's save runs", func() bool { r := p.runsOf(person); return len(r) == 2 && r[0].State.Final() })
	}
}

func TestAPersonsSaveRunsWhileTheScriptSavesItself(t *testing.T) {
	p := started(t, "")
	for name, how := range map[string]string{
		"python.py": "with open(__file__, 'a') as f: f.write('#\\n')",
		"block.py":  saveTextBlock,
	} {
		path := p.save(name, "import os, time\n"+how+`
open(__file__ + '.saved', 'w').close()
while not os.path.exists(__file__ + '.go'): time.sleep(0.01)`)
		p.eventually("its own save is seen", func() bool { return strings.Contains(p.printed(), path+" was saved by its own run") })
		if err := os.WriteFile(path, []byte("result = 'in place'"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.eventually("it waits", func() bool { r := p.runsOf(path); return len(r) == 2 && r[0].State == api.Queued })
		if err := os.WriteFile(path+".go", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		p.eventually("it has run", func() bool { return p.runsOf(path)[0].State == api.Succeeded })
	}
}

func TestScriptsThatSaveEachOtherStopAfterTenRounds(t *testing.T) {
	p := started(t, "[runs]\nisolation = \"scene\"\n")
	const code = `import os
here, name = os.path.split(__file__)
n = int(open(os.path.join(here, "count")).read()) + 1
open(os.path.join(here, "count"), "w").write(str(n))
other = os.path.join(here, "b.py" if name == "a.py" else "a.py")
open(other, "w").write(open(__file__).read() + f"{n}\n")
`
	if err := os.WriteFile(p.folder+"/count", []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.save("a.py", code)
	p.eventually("the chain has ended", func() bool { return len(p.runs("--state", "cancelled")) == 1 })
	if done := p.runs("--state", "succeeded"); len(done) != 11 {
		t.Errorf("%d runs: %+v", len(done), done)
	}
	if r := p.runs("--state", "cancelled")[0]; !strings.Contains(r.Reason, "b.py → a.py → b.py") {
		t.Errorf("it says %q", r.Reason)
	}
}

func TestAScriptThatHasAnotherProgramSaveItStops(t *testing.T) {
	p := started(t, "[runs]\nisolation = \"scene\"\n")
	p.save("a.py", "import os, time\nn = 0\nos.system(f\"sed -i 's/^n = .*/n = {n + 1}/' '{__file__}'\")\n")
	p.eventually("the chain has ended", func() bool { return len(p.runs("--state", "cancelled")) == 1 })
	if done := p.runs("--state", "succeeded"); len(done) != 11 {
		t.Errorf("%d runs: %+v", len(done), done)
	}
}

func TestAScriptThatSavesItselfAsTheEngineEndsRunsOnce(t *testing.T) {
	const saves = `import os, time
def save():
    open(__file__ + '.new', 'w').write(open(__file__).read() + '#\n')
    os.replace(__file__ + '.new', __file__)
`
	for name, test := range map[string]struct {
		code string
		ends func(p *program, path string)
		want api.State
	}{
		"stopped": {saves + "while not os.path.exists(__file__ + '.go'): time.sleep(0.01)\nsave()", func(p *program, path string) {
			p.isRunning(path)
			p.signal(p.cmd.Process.Pid, syscall.SIGTERM)
			p.eventually("the engine waits for the run", func() bool { return strings.Contains(p.printed(), "the engine ends when run") })
			if err := os.WriteFile(path+".go", nil, 0o600); err != nil {
				p.t.Fatal(err)
			}
			if err := p.cmd.Wait(); err != nil {
				p.t.Error(err)
			}
		}, api.Succeeded},
		"killed": {saves + "engine = os.getppid()\nsave()\nos.kill(engine, 9)\ntime.sleep(60)", func(p *program, _ string) {
			_ = p.cmd.Wait() // the script has killed it
		}, api.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			p := started(t, "")
			path := p.save("a.py", test.code)
			test.ends(p, path)
			p.start()
			p.waitReady()
			p.eventually("the scan has found it", func() bool { return strings.Contains(p.printed(), path+" was saved by its own run") })
			if run := p.lastOf(p.save("b.py", "result = 1")); run.State != api.Succeeded {
				t.Errorf("%+v", run)
			}
			if runs := p.runsOf(path); len(runs) != 1 || runs[0].State != test.want {
				t.Errorf("%+v", runs)
			}
		})
	}
}
