package watcher

import (
	"os"
	"testing"
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
