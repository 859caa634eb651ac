package blender

import (
	"os"
	"path/filepath"
	"strings"
)

// A Blender is started without the Python that happens to be active where the engine was started.
// A Blender that brings no Python of its own looks for one on the PATH, and Python reads its
// variables: with a virtual environment active there, Debian's Blender has the environment's
// modules in the place of its own, and NumPy is gone.

// pythonVariables are the variables of Python and of what makes environments for it; a name that
// ends in * stands for all that begin so.
var pythonVariables = []string{
	"PYTHON*", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_*", "_CE_CONDA", "_CE_M",
}

// compiledVariable says where Python has the compiled files of modules.
const compiledVariable = "PYTHONPYCACHEPREFIX"

// Environ returns the environment that a Blender with this program is started in, of the one that a
// program has.
func Environ(environ []string, program string) []string {
	kept, _ := withoutPython(environ, program)
	return kept
}

// ForeignPython returns what of an environment a Blender with this program is started without,
// because it would put another Python in the place of Blender's own: "PYTHONHOME=/x", "VIRTUAL_ENV=/x",
// "PATH: /x/bin". Other variables of Python that are left out, too, are not named.
func ForeignPython(environ []string, program string) []string {
	var foreign []string
	for _, assignment := range environ {
		switch name, value, _ := strings.Cut(assignment, "="); name {
		case "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "CONDA_PREFIX":
			if value != "" {
				foreign = append(foreign, assignment)
			}
		}
	}
	_, dropped := withoutPython(environ, program)
	for _, folder := range dropped {
		foreign = append(foreign, "PATH: "+folder)
	}
	return foreign
}

// withoutPython returns an environment without the variables of Python and without the folders of
// virtual environments on the PATH, and those folders. An environment that the program itself lies
// in keeps its folder: it is the program's own.
func withoutPython(environ []string, program string) (kept, dropped []string) {
	prefixes := foreignPrefixes(environ, program)
	for _, assignment := range environ {
		name, value, _ := strings.Cut(assignment, "=")
		switch {
		case isPythonVariable(name):
		case sameVariable(name, "PATH"):
			var folders []string
			for _, folder := range filepath.SplitList(value) {
				if isForeign(folder, prefixes, program) {
					dropped = append(dropped, folder)
				} else {
					folders = append(folders, folder)
				}
			}
			kept = append(kept, name+"="+strings.Join(folders, string(filepath.ListSeparator)))
		default:
			kept = append(kept, assignment)
		}
	}
	return kept, dropped
}

func isPythonVariable(name string) bool {
	for _, pattern := range pythonVariables {
		start, found := strings.CutSuffix(pattern, "*")
		if name == pattern || found && strings.HasPrefix(name, start) {
			return true
		}
	}
	return false
}

// foreignPrefixes returns the folders of the environments that variables name.
func foreignPrefixes(environ []string, program string) []string {
	var prefixes []string
	for _, assignment := range environ {
		name, value, _ := strings.Cut(assignment, "=")
		if (name == "VIRTUAL_ENV" || strings.HasPrefix(name, "CONDA_PREFIX")) && filepath.IsAbs(value) &&
			filepath.Dir(filepath.Clean(value)) != filepath.Clean(value) && !isWithin(program, value) {
			prefixes = append(prefixes, value)
		}
	}
	return prefixes
}

// isForeign returns whether a folder of the PATH belongs to an environment that a variable names,
// or to one that nothing names: its own file pyvenv.cfg makes it an environment for Python.
func isForeign(folder string, prefixes []string, program string) bool {
	if !filepath.IsAbs(folder) {
		return false
	}
	for _, prefix := range prefixes {
		if isWithin(folder, prefix) {
			return true
		}
	}
	parent := filepath.Dir(filepath.Clean(folder))
	if isWithin(program, parent) {
		return false
	}
	_, err := os.Stat(filepath.Join(parent, "pyvenv.cfg"))
	return err == nil
}

// isWithin returns whether a path is a folder or lies in it.
func isWithin(path, folder string) bool {
	relative, err := filepath.Rel(folder, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// startEnviron returns the environment that Blender starts with, whose temporary files and crash
// reports shall lie in temp, and the compiled files of its scripts and ours in compiled: where the
// system has none beside them and the user can't write there, each start compiles them anew. The
// launcher sets the variables back before a script can see them:
// restored has what they were, nil for a variable that was not set.
func startEnviron(environ []string, temp, compiled string) (env []string, restored map[string]*string) {
	env, restored = environ, map[string]*string{}
	for _, name := range tempVariables {
		restored[name] = lookUp(environ, name)
		env = append(env, name+"="+temp)
	}
	restored[compiledVariable] = lookUp(environ, compiledVariable)
	env = append(env, compiledVariable+"="+compiled)
	return env, restored
}

// lookUp returns the value of a variable, or nil.
func lookUp(environ []string, name string) *string {
	for i := len(environ) - 1; i >= 0; i-- { // the last assignment counts
		if there, value, _ := strings.Cut(environ[i], "="); sameVariable(there, name) {
			return &value
		}
	}
	return nil
}
