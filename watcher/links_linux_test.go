package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestScriptsThatAreWrittenByAnotherNameAreSaves(t *testing.T) {
	t.Parallel()
	often := func(_ *Config, o *options) { o.pollEvery = 20 * time.Millisecond }
	for name, test := range map[string]struct {
		link func(r *rig, elsewhere string) // makes a.py, whose bytes are in elsewhere/x.py
		edit func(r *rig, elsewhere, code string)
	}{
		"a symbolic link, its target written in place": {
			func(r *rig, elsewhere string) { r.tool("ln", "-s", elsewhere+"/x.py", "a.py") },
			func(r *rig, elsewhere, code string) { write(r.t, elsewhere+"/x.py", code) },
		},
		"a symbolic link, its target replaced": {
			func(r *rig, elsewhere string) { r.tool("ln", "-s", elsewhere+"/x.py", "a.py") },
			func(r *rig, elsewhere, code string) {
				write(r.t, elsewhere+"/new", code)
				rename(r.t, elsewhere+"/new", elsewhere+"/x.py")
			},
		},
		"a symbolic link, its target removed and made again": {
			func(r *rig, elsewhere string) { r.tool("ln", "-s", elsewhere+"/x.py", "a.py") },
			func(r *rig, elsewhere, code string) {
				r.tool("rm", elsewhere+"/x.py")
				write(r.t, elsewhere+"/x.py", code)
			},
		},
		"the ..data of Kubernetes": {
			func(r *rig, elsewhere string) {
				r.mkdir("..1")
				r.tool("cp", elsewhere+"/x.py", "..1/a.py")
				r.tool("ln", "-s", "..1", "..data")
				r.tool("ln", "-s", "..data/a.py", "a.py")
			},
			func(r *rig, _, code string) {
				next := fmt.Sprintf("..%d", time.Now().UnixNano())
				r.write(next+"/a.py", code)
				r.tool("ln", "-s", next, "..data_tmp")
				rename(r.t, r.path("..data_tmp"), r.path("..data"))
			},
		},
		"a hard link": {
			func(r *rig, elsewhere string) { r.tool("ln", elsewhere+"/x.py", "a.py") },
			func(r *rig, elsewhere, code string) { write(r.t, elsewhere+"/x.py", code) },
		},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, made later: %v", name, late), func(t *testing.T) {
				t.Parallel()
				r := prepare(t, often)
				elsewhere := filepath.Join(filepath.Dir(r.dir), "elsewhere")
				write(t, elsewhere+"/x.py", "n = 0\n")
				if late {
					r.serve()
					test.link(r, elsewhere)
				} else {
					test.link(r, elsewhere)
					r.serve()
				}
				r.gets("a.py", "n = 0\n")
				r.until("a status that says how", func() bool {
					return strings.Contains(r.w.Status()[0].Note, "1 script is a link, has several names or lies where nobody may look; it is looked at every 20ms")
				})
				for n := range 3 {
					code := fmt.Sprintf("n = %d\n", n+1)
					test.edit(r, elsewhere, code)
					r.gets("a.py", code)
				}
				r.wantTexts("a.py", "n = 0\n", "n = 1\n", "n = 2\n", "n = 3\n")
				if err := os.Remove(r.path("a.py")); err != nil {
					t.Fatal(err)
				}
				r.until("a status without it", func() bool { return r.w.Status()[0].Note == "" })
			})
		}
	}
}

func TestALinkWhoseTargetComesLaterIsASaveThen(t *testing.T) {
	t.Parallel()
	r := start(t, func(_ *Config, o *options) { o.pollEvery = 20 * time.Millisecond })
	target := filepath.Join(filepath.Dir(r.dir), "target.py")
	r.tool("ln", "-s", target, "a.py")
	r.settle()
	r.wantTexts("a.py")
	write(t, target, "there = 1\n")
	r.gets("a.py", "there = 1\n")
}
