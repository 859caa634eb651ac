package watcher

import (
	"os"
	"testing"
	"time"

	"blendtray/api"
)

func TestAnEmptyFileIsNeverASave(t *testing.T) {
	t.Parallel()
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, method)
			r.write("place.py", "") // a placeholder that stays
			r.write("a.py", "")
			r.write("mark.py", "mark\n") // when it has settled, the empty files have had their time, too
			r.gets("mark.py", "mark\n")
			r.settle()
			r.wantTexts("a.py")
			f, err := os.OpenFile(r.path("a.py"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("filled\n"); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			r.gets("a.py", "filled\n")
			if err := os.Truncate(r.path("a.py"), 0); err != nil {
				t.Fatal(err)
			}
			r.write("mark.py", "mark 2\n")
			r.gets("mark.py", "mark 2\n")
			r.wantTexts("a.py", "filled\n")
			r.wantTexts("place.py")
		})
	}
}

func TestCodeThatLooksUnfinishedIsKnown(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"":                                  false,
		"x = 1\n":                           false,
		"x = 1":                             false,
		"x = 1  # a comment: (":             false,
		"x = (1,\n":                         true,
		"x = (1,\n2)\n":                     false,
		"x = [1)\n":                         true,
		"x = 1)\n":                          true,
		"def f():\n":                        true,
		"def f():  # why\n\n":               true,
		"def f():\n\tpass\n":                false,
		"x = 'a\n":                          true,
		"x = 'it\\'s # ('\n":                false,
		"x = '''a\n":                        true,
		"x = '''a\n\"(\n'''\n":              false,
		"x = \"\"\"a\\\"\"\" (\"\"\"\n":     false,
		"x = 1 + \\\n":                      true,
		"x = 1 + \\\n  2\n":                 false,
		"x = 1 + \\\r\n  2\r\n":             false,
		"x =\n":                             true,
		"import bpy\nprint(f\"{bpy}\")\n":   false,
		"x = {'a': [1, (2, 3)], 'b': {}}\n": false,
	} {
		if got := unfinished([]byte(code)); got != want {
			t.Errorf("%q: %v, want %v", code, got, want)
		}
	}
}

// What other machines write brings no events, so the test writes in steps between which the
// watcher looks.
func TestWhereNoCloseIsToldAScriptMustStayAsItIsForTheSettingSettle(t *testing.T) {
	t.Parallel()
	remote := func(settle time.Duration) func(*Config, *options) {
		return func(c *Config, o *options) {
			c.Folders[0].Settle = api.Duration(settle)
			o.pollEvery = 10 * time.Millisecond
			o.isRemote = func(string) bool { return true }
			o.newSource = func(hintFunc) (source, error) { return deafSource{}, nil }
		}
	}
	const settle = 500 * time.Millisecond
	r := start(t, remote(settle))
	for code, want := range map[string]time.Duration{
		"whole = 1\n":     settle,
		"def begins():\n": 3 * settle, // it looks unfinished
		"no_line_feed":    2 * settle,
	} {
		r.forget()
		begun := time.Now()
		r.write("a.py", code)
		r.gets("a.py", code)
		if took := time.Since(begun); took < want {
			t.Errorf("%q was handed on after %v, want no less than %v", code, took, want)
		}
	}
}

func TestClosesOfThisMachineAreToldInPolledFoldersToo(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]set{
		"on a file server": func(_ *Config, o *options) { o.isRemote = func(string) bool { return true } },
		"by wish":          func(c *Config, _ *options) { c.Folders[0].Poll = api.Duration(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, set, func(c *Config, o *options) {
				c.Folders[0].Settle, o.pollEvery = api.Duration(time.Hour), time.Hour
			})
			r.write("a.py", "a = 1\n")
			r.gets("a.py", "a = 1\n")
			if st := r.w.Status()[0]; st.Method != methodPoll {
				t.Errorf("the status is %+v", st)
			}
			r.write("sub/b.py", "b = 1\n")
			r.until("the folder in it", func() bool { r.w.mu.Lock(); defer r.w.mu.Unlock(); return r.w.dirs[r.path("sub")] != nil })
			r.write("sub/b.py", "b = 2\n")
			r.gets("sub/b.py", "b = 2\n")
		})
	}
}
