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

// pythonVariables are the variables of Python and of the programs that make environments for
// Python; a name that ends in * stands for all names that begin so.
var pythonVariables = []string{
	"PYTHON*", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_*", "_CE_CONDA", "_CE_M",
}

// compiledVariable names the folder in which Python keeps the compiled files of modules.
const compiledVariable = "PYTHONPYCACHEPREFIX"

// Environ returns the environment in which a Blender with this program is started: environ without
// what would put another Python in the place of Blender's own.
func Environ(environ []string, program string) []string {
	kept, _ := withoutPython(environ, program)
	return kept
}

// ForeignPython returns the parts of an environment that are left out when a Blender with this
// program is started, because they would put another Python in the place of Blender's own:
// "PYTHONHOME=/x", "VIRTUAL_ENV=/x", "PATH: /x/bin". Other variables of Python are left out, too,
// but not returned.
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
// virtual environments on the PATH, and returns those folders. An environment in which the program
// itself lies keeps its folder, because it belongs to the program.
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

// foreignPrefixes returns the folders of the Python environments that the variables name.
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
// or to an environment that no variable names: the file pyvenv.cfg makes a folder an environment
// for Python.
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

// startEnviron returns the environment that Blender starts with. Temporary files and crash reports
// lie in temp. Compiled files of Blender's scripts and of ours lie in compiled: where the system
// has none beside the scripts and the user can't write there, each start would compile them anew.
// The launcher restores the variables before a script can see them: restored has their former
// values, nil for a variable that was not set.
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

// lookUp returns the value of a variable, or nil when it is not set.
func lookUp(environ []string, name string) *string {
	for i := len(environ) - 1; i >= 0; i-- { // the last assignment counts
		if there, value, _ := strings.Cut(environ[i], "="); sameVariable(there, name) {
			return &value
		}
	}
	return nil
}
