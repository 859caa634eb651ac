//go:build unix

package blender

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// virtualEnv makes what Python takes for a virtual environment, and returns its folder.
func virtualEnv(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pyvenv.cfg"), []byte("home = /usr/bin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"python3", "python3.11"} {
		if err := os.Symlink("/usr/bin/python3.11", filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheEnvironmentOfAnActivePythonIsLeftOut(t *testing.T) {
	t.Parallel()
	unnamed := virtualEnv(t)
	for _, c := range []struct {
		name, program          string
		environ, kept, foreign []string
	}{
		{name: "none", environ: []string{"HOME=/home/ada", "PATH=/usr/bin:/bin"}, kept: []string{"HOME=/home/ada", "PATH=/usr/bin:/bin"}},
		{
			name: "venv", environ: []string{"VIRTUAL_ENV=/v", "VIRTUAL_ENV_PROMPT=v", "PATH=/v/bin:/usr/bin:/v2/bin"},
			kept: []string{"PATH=/usr/bin:/v2/bin"}, foreign: []string{"VIRTUAL_ENV=/v", "PATH: /v/bin"},
		},
		{
			name: "conda", environ: []string{"CONDA_PREFIX=/c/envs/e", "CONDA_PREFIX_1=/c", "CONDA_SHLVL=2", "PATH=/c/envs/e/bin:/c/condabin:/bin"},
			kept: []string{"PATH=/bin"}, foreign: []string{"CONDA_PREFIX=/c/envs/e", "PATH: /c/envs/e/bin", "PATH: /c/condabin"},
		},
		{
			name: "variables of Python", environ: []string{"PYTHONHOME=/x", "PYTHONUNBUFFERED=1", "__PYVENV_LAUNCHER__=/x/bin/python3", "PYENV_ROOT=/y"},
			kept: []string{"PYENV_ROOT=/y"}, foreign: []string{"PYTHONHOME=/x", "__PYVENV_LAUNCHER__=/x/bin/python3"},
		},
		{
			name: "on the PATH alone", environ: []string{"PATH=" + unnamed + "/bin:/usr/bin"},
			kept: []string{"PATH=/usr/bin"}, foreign: []string{"PATH: " + unnamed + "/bin"},
		},
		{
			name: "the program's own", program: "/v/bin/blender", environ: []string{"VIRTUAL_ENV=/v", "PATH=/v/bin:/usr/bin"},
			kept: []string{"PATH=/v/bin:/usr/bin"}, foreign: []string{"VIRTUAL_ENV=/v"},
		},
		{name: "no folder at all", environ: []string{"VIRTUAL_ENV=/", "PATH=.:/bin"}, kept: []string{"PATH=.:/bin"}, foreign: []string{"VIRTUAL_ENV=/"}},
	} {
		if c.program == "" {
			c.program = "/usr/bin/blender"
		}
		if kept, _ := withoutPython(c.environ, c.program); !reflect.DeepEqual(kept, c.kept) {
			t.Errorf("%s: kept %q, want %q", c.name, kept, c.kept)
		}
		if foreign := ForeignPython(c.environ, c.program); !reflect.DeepEqual(foreign, c.foreign) {
			t.Errorf("%s: foreign %q, want %q", c.name, foreign, c.foreign)
		}
	}
}

// The test sets the environment of its process, so it is not parallel.
func TestAnActiveVirtualEnvironmentIsNotBlendersPython(t *testing.T) {
	venv := virtualEnv(t)
	t.Setenv("VIRTUAL_ENV", venv)
	t.Setenv("PYTHONHOME", venv)
	t.Setenv("PYTHONPATH", venv)
	t.Setenv("__PYVENV_LAUNCHER__", filepath.Join(venv, "bin", "python3"))
	t.Setenv("PATH", filepath.Join(venv, "bin")+":"+os.Getenv("PATH"))
	s := serve(t, Config{})
	out, _ := do(t, s, Request{Code: []byte("import os, sys, numpy\nresult = [sys.prefix, os.environ['PATH'], os.environ.get('VIRTUAL_ENV')]")})
	if out.Verdict != Succeeded || strings.Contains(string(out.Result), venv) || !strings.HasSuffix(string(out.Result), ",null]") {
		t.Errorf("%+v, %+v, result %s", out, out.Error, out.Result)
	}
}

func TestBlendersScriptsAreCompiledOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	compiled := filepath.Join(s.cfg.Dir, "compiled")
	files := func() map[string]time.Time {
		found := map[string]time.Time{}
		err := filepath.WalkDir(compiled, func(path string, entry os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".pyc") {
				info, err := entry.Info()
				if err != nil {
					return err
				}
				found[path] = info.ModTime()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	code := `import os, sys
sys.path.insert(0, os.getcwd())
import compiled_by_a_script
result = [sys.pycache_prefix, os.environ.get("PYTHONPYCACHEPREFIX"), sys.flags.dont_write_bytecode]`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compiled_by_a_script.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := do(t, s, Request{Dir: dir, Code: []byte(code)})
	if string(out.Result) != "[null,null,0]" {
		t.Errorf("%+v, %+v, result %s", out, out.Error, out.Result)
	}
	first := files()
	for _, part := range []string{"bl_ui/__init__.", "bpy_types.", "tcp_echo/launch."} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(first)), func(path string) bool { return strings.Contains(path, part) }) {
			t.Errorf("%s is not among %d compiled files", part, len(first))
		}
	}
	if err := s.Restart(context.Background()); err != nil {
		t.Fatal(err)
	}
	if second := files(); !reflect.DeepEqual(first, second) {
		t.Errorf("%d compiled files, after another start %d", len(first), len(second))
	}
	if _, err := os.Stat(filepath.Join(dir, "__pycache__")); err == nil {
		t.Error("the script's folder has compiled files")
	}
}
