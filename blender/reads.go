package blender

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// start is what a start of Blender reads.
type start struct {
	// program is Blender's path, and version the version that it reports: see [Found].
	program, version string
	args             []string
	factoryStartup   bool
	environ          []string
}

// newStart returns what a start of a Blender with a specification reads.
func newStart(found Found, spec api.BlenderSpec, environ []string) start {
	return start{found.Path, found.Version, openArgs(spec), spec.FactoryStartup, environ}
}

// Outdated returns whether something has changed since the start of the present Blender that it
// has read at its start, so that a Blender that is started now would differ. Outdated reads no
// file: it compares times and sizes, which takes 3 µs a file.
//
// It covers the program and its arguments, the .blend among them and the libraries that this .blend
// links, the environment, and what Blender reads in the folders of the user and in the folders that
// variables name: preferences and the startup file, unless they are left out; startup scripts,
// modules, add-ons and extensions. For these, the times of the folders show which files come, go or
// are replaced, and the times of the first 1,000 files show changes in place.
//
// It does not cover Blender's own scripts, which change with its program, the folders for scripts
// that the preferences name, nor the pictures and caches that a .blend refers to.
func (s *Supervisor) Outdated() bool {
	s.mu.Lock()
	inst, spec := s.current, s.spec
	s.mu.Unlock()
	if inst == nil {
		return false
	}
	if spec.Path != inst.spec.Path {
		return true
	}
	now := newStart(Found{Path: inst.start.program, Version: inst.start.version}, spec, s.environ(inst.start.program))
	return now.fingerprint() != inst.read || fingerprintOf(inst.session.Welcome.Libraries) != inst.linked
}

// environ returns the environment for a Blender with this program, without the variables that are
// set only for its start.
func (s *Supervisor) environ(program string) []string {
	return append(Environ(os.Environ(), program), s.cfg.Env...)
}

// noteLinked notes the state of the libraries that the .blend links which was opened at the start.
func (i *instance) noteLinked() {
	for _, path := range i.session.Welcome.Libraries {
		info, err := os.Stat(path)
		// A time in the future, of another machine's clock, says nothing about this start.
		if err == nil && !info.ModTime().Before(i.began) && !info.ModTime().After(time.Now()) {
			i.linked = "changed while it was read"
			return
		}
	}
	i.linked = fingerprintOf(i.session.Welcome.Libraries)
}

// fingerprintOf returns a text that differs when one of the files has changed.
func fingerprintOf(files []string) string {
	sum := sha256.New()
	for _, file := range files {
		stamp(sum, file)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// fingerprint returns a text that differs when something that the start reads has changed.
func (s start) fingerprint() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %q %v %q\n", s.program, s.version, s.args, s.factoryStartup, slices.Sorted(slices.Values(s.environ)))
	stamp(sum, s.program)
	for _, arg := range s.args {
		if strings.EqualFold(filepath.Ext(arg), ".blend") {
			stamp(sum, arg)
		}
	}
	config, scripts := s.userFolders()
	if !s.factoryStartup {
		for _, folder := range config {
			stamp(sum, filepath.Join(folder, "userpref.blend"))
			stamp(sum, filepath.Join(folder, "startup.blend"))
		}
	}
	left := budget{maxStamped, maxStamped}
	for _, folder := range scripts {
		stampTree(sum, folder, &left)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// maxStamped is how many files of scripts are looked at, and how many folders, at most.
const maxStamped = 1000

// budget is how many files and folders may still be looked at.
type budget struct{ files, folders int }

// stamp adds to a sum the path, the size and the time of change of a file.
func stamp(sum hash.Hash, path string) {
	info, err := os.Stat(path)
	if err != nil {
		return // when the file comes, the sum changes
	}
	fmt.Fprintf(sum, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
}

// stampTree adds to a sum the files of a folder that Python and Blender read.
func stampTree(sum hash.Hash, folder string, left *budget) {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return // there is no such folder
	}
	_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // what can't be read here, Blender can't read either
		case left.folders <= 0:
			return fs.SkipAll
		case entry.IsDir():
			if name := entry.Name(); path != folder && (name == "__pycache__" || strings.HasPrefix(name, ".")) {
				return fs.SkipDir
			}
			left.folders--
			stamp(sum, path)
			return nil
		}
		switch filepath.Ext(path) {
		case ".py", ".so", ".pyd", ".dll", ".dylib", ".toml", ".blend", ".whl":
			if left.files > 0 {
				left.files--
				stamp(sum, path) // stamp follows a link
			}
			return nil
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		// This is an add-on that is developed elsewhere. A link back would be followed again and
		// again.
		if real, err := filepath.EvalSymlinks(path); err == nil && !isWithin(folder, real) {
			left.folders--
			stampTree(sum, real, left)
		}
		return nil
	})
}

// userFolders returns the folders that may hold the preferences and the scripts of the user.
func (s start) userFolders() (config, scripts []string) {
	variable := func(name string) string {
		if value := lookUp(s.environ, name); value != nil {
			return *value
		}
		return ""
	}
	version := s.version
	if parts := strings.SplitN(version, ".", 3); len(parts) > 2 {
		version = parts[0] + "." + parts[1]
	}
	root := variable("BLENDER_USER_RESOURCES")
	if root == "" {
		root = filepath.Join(userResources(variable), version)
	}
	program := s.program
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	beside := filepath.Dir(program) // a portable Blender has the files of the user there
	for _, root := range []string{root, filepath.Join(beside, "portable")} {
		config = append(config, filepath.Join(root, "config"))
		scripts = append(scripts, filepath.Join(root, "scripts"), filepath.Join(root, "extensions"))
	}
	config = append(config, filepath.Join(beside, version, "config"), variable("BLENDER_USER_CONFIG"))
	for _, name := range []string{"BLENDER_USER_SCRIPTS", "BLENDER_USER_EXTENSIONS", "BLENDER_SYSTEM_SCRIPTS", "BLENDER_SYSTEM_EXTENSIONS"} {
		scripts = append(scripts, filepath.SplitList(variable(name))...)
	}
	return config, scripts
}
