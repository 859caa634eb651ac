package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// part is a module in the program, or Go's own library.
type part struct {
	Path    string
	Version string
	// Sum is the hash of the module, as go.sum has it, or "".
	Sum   string
	Texts []text
}

// text is a file with a licence, a notice or the names of authors.
type text struct {
	// Name is the path of the file in its module, with slashes.
	Name string
	Text string
	// Licences are the SPDX identifiers of the licences in the text. A notice has none.
	Licences []string
}

// licences returns the SPDX identifiers of a part, sorted.
func (p part) licences() (all []string) {
	for _, t := range p.Texts {
		all = append(all, t.Licences...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// program is what a program says about its build.
type program struct {
	info *debug.BuildInfo
	// dir is the folder of the main package.
	dir string
}

// setting returns a setting of the build, or "".
func (p program) setting(key string) string {
	for _, s := range p.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// goCommand returns the output of the go command for the system and the tags of the program.
func (p program) goCommand(args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = p.dir
	cmd.Env = os.Environ()
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED"} {
		if value := p.setting(key); value != "" {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// collect returns what is in the program in file, whose main package lies in dir: Go's own library
// first, then the modules by their paths. What is in the program, the program itself says; the texts are
// those of the modules that this machine has. collect fails when a part has no licence that
// [compatible] has, or when dir needs other versions of modules than the program was built from.
func collect(file, dir string) ([]part, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read how %s was built: %w", file, err)
	}
	p := program{info, dir}
	folders, err := p.packages()
	if err != nil {
		return nil, err
	}
	library, err := p.library()
	if err != nil {
		return nil, err
	}
	parts := []part{library}
	for _, m := range info.Deps {
		found, ok := folders[m.Path+"@"+m.Version]
		if !ok {
			return nil, fmt.Errorf("%s %s is in %s and not in the packages of %s: was it built from them?", m.Path, m.Version, file, dir)
		}
		texts, err := found.texts()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{Path: m.Path, Version: m.Version, Sum: m.Sum, Texts: texts})
	}
	slices.SortFunc(parts[1:], func(a, b part) int { return strings.Compare(a.Path, b.Path) })
	var wrong []error
	for _, p := range parts {
		if err := p.check(); err != nil {
			wrong = append(wrong, err)
		}
	}
	return parts, errors.Join(wrong...)
}

// check fails when a part has no licence, or a licence that is not in [compatible].
func (p part) check() error {
	ids := p.licences()
	if len(ids) == 0 {
		return fmt.Errorf("%s has no licence that is known", p.Path)
	}
	for _, id := range ids {
		if !slices.Contains(compatible, id) {
			return fmt.Errorf("%s has the licence %s, of which nobody has said that it goes together with the GPL, version 3", p.Path, id)
		}
	}
	return nil
}

// compatible are the licences of which parts may be in a program under the GPL, version 3 or later.
var compatible = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Bitstream-Vera", "CC-BY-4.0", "CC0-1.0", "FTL", "GPL-3.0", "GPL-3.0-or-later",
	"ISC", "LGPL-2.1", "LGPL-3.0", "MIT", "MIT-0", "MPL-2.0", "OFL-1.1", "Unicode-DFS-2016", "Unicode-3.0", "Unlicense", "Zlib",
}

// library returns Go's own library and runtime, of which parts are in every program.
func (p program) library() (part, error) {
	out, err := p.goCommand("env", "GOROOT")
	if err != nil {
		return part{}, err
	}
	root := strings.TrimSpace(string(out))
	m := module{dir: root, folders: []string{root}}
	texts, err := m.texts()
	if len(texts) == 0 && err == nil {
		// Distributions keep the text elsewhere: golang.org/x has the same licence.
		x := module{dir: filepath.Join(root, "src", "vendor"), folders: []string{filepath.Join(root, "src/vendor/golang.org/x/sys/cpu")}}
		texts, err = x.texts()
	}
	return part{Path: "std", Version: strings.TrimPrefix(p.info.GoVersion, "go"), Texts: texts}, err
}

// module is a module on this machine, and the folders of its packages that are in the program.
type module struct {
	dir     string
	folders []string
}

// packages returns the modules whose packages are in the program, by path@version.
func (p program) packages() (map[string]module, error) {
	out, err := p.goCommand("list", "-deps", "-json=Dir,Module", "-tags", p.setting("-tags"), ".")
	if err != nil {
		return nil, err
	}
	all := map[string]module{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if pkg.Module == nil || pkg.Module.Main {
			continue
		}
		key := pkg.Module.Path + "@" + pkg.Module.Version
		m := all[key]
		m.dir = pkg.Module.Dir
		m.folders = append(m.folders, pkg.Dir)
		all[key] = m
	}
}

// named matches the names of files with licences, notices and authors.
var named = regexp.MustCompile(`(?i)^(un)?(licen[sc]e|copying|copyright|notice|patents|authors|ofl)([-_.].*)?$`)

// without matches the names of those of these files that are no licence of a program. The logo of a
// library is in no program.
var without = regexp.MustCompile(`(?i)^(authors|patents|notice)|logo`)

// texts returns the texts that hold for the packages of a module: those in the folder of each package
// and above it in the module, and those below it in folders without Go, such as C and fonts.
func (m module) texts() ([]text, error) {
	var files []string
	for _, folder := range m.folders {
		for at := folder; ; at = filepath.Dir(at) {
			entries, err := os.ReadDir(at)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.Type().IsRegular() && isText(e.Name()) {
					files = append(files, filepath.Join(at, e.Name()))
				}
			}
			if at == m.dir || len(at) <= len(m.dir) {
				break
			}
		}
		below, err := withoutGo(folder, m.dir)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	slices.Sort(files)
	texts := []text{}
	for _, file := range slices.Compact(files) {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(m.dir, file)
		if err != nil {
			return nil, err
		}
		t := text{Name: filepath.ToSlash(name), Text: strings.TrimSpace(strings.ToValidUTF8(string(content), "?"))}
		if !without.MatchString(filepath.Base(file)) {
			t.Licences = licencesIn(content)
		}
		texts = append(texts, t)
	}
	return texts, nil
}

// isText tells whether a file of this name has a licence, a notice or authors. Go files never do.
func isText(name string) bool { return named.MatchString(name) && filepath.Ext(name) != ".go" }

// withoutGo returns the texts in the folders below folder that have no Go files in and below them, nor
// in a folder between. The folder of Go itself has packages of its own, which nothing is read from.
func withoutGo(folder, module string) (files []string, err error) {
	if folder == module && isGo(module) {
		return nil, nil
	}
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			if filepath.Dir(path) != folder && isText(d.Name()) {
				files = append(files, path)
			}
			return nil
		case path == folder:
			return nil
		}
		// A folder with Go is a package of its own: it counts when the program has that package.
		if source, _ := filepath.Glob(filepath.Join(path, "*.go")); len(source) > 0 || d.Name() == "testdata" {
			return fs.SkipDir
		}
		return nil
	})
	return files, err
}

// isGo tells whether a folder is that of Go itself.
func isGo(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "src", "runtime"))
	return err == nil
}

// licencesIn returns the SPDX identifiers of the licences whose texts are in content.
func licencesIn(content []byte) (ids []string) {
	for _, match := range licensecheck.Scan(content).Match {
		if id := match.ID; !match.IsURL && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
