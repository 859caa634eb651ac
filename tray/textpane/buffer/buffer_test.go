package buffer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"blendtray/tray/textpane/ansi"
)

func newBuffer(t *testing.T, opts Options) *Buffer {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	b := New(opts)
	t.Cleanup(b.Close)
	return b
}

func texts(b *Buffer) (all []string) {
	first, end := b.Bounds()
	for line := range b.Lines(first, end) {
		all = append(all, string(line.Raw))
	}
	return all
}

func TestTheOpenLineIsContinuedByTheNextChunk(t *testing.T) {
	t.Parallel()
	b := newBuffer(t, Options{})
	for _, step := range []struct{ chunk, want string }{
		{"1 ", `["1 "]`},
		{"2 ", `["1 2 "]`},
		{"3\nnext", `["1 2 3" "next"]`},
		{"\n", `["1 2 3" "next"]`},
		{"\n\nx\n", `["1 2 3" "next" "" "" "x"]`},
	} {
		b.Append([]byte(step.chunk))
		if got := fmt.Sprintf("%q", texts(b)); got != step.want {
			t.Errorf("after %q: %s, want %s", step.chunk, got, step.want)
		}
	}
	if got := b.Text(1, 5); got != "next\n\n\nx" {
		t.Errorf("its text is %q", got)
	}
	b.Reset()
	if _, end := b.Bounds(); end != 0 {
		t.Error("it is not empty")
	}
}

func TestLinesAreHiddenAsAWholeHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	hide := func(line []byte, open bool) bool {
		return bytes.HasPrefix(line, []byte("Fra:")) && (open || bytes.Contains(line, []byte("Mem")))
	}
	text := "before\nFra:1 Mem:2\nFra is no status\nFra:3 Mem:4\nafter"
	for size := 1; size < len(text); size++ {
		b := newBuffer(t, Options{Hide: hide})
		for at := 0; at < len(text); at += size {
			b.Append([]byte(text[at:min(at+size, len(text))]))
		}
		if got := strings.Join(texts(b), "|"); got != "before|Fra is no status|after" {
			t.Errorf("in pieces of %d: %q", size, got)
		}
	}
	b := newBuffer(t, Options{Hide: hide})
	b.Append([]byte("a\nFra:1 "))
	if got := texts(b); len(got) != 1 {
		t.Errorf("an open line is shown: %q", got)
	}
}

func TestTheNewestLinesAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBuffer(t, Options{Max: 2 << 20, Memory: 1 << 10, Dir: dir})
	line := strings.Repeat("x", 93)
	const lines = 100_000
	for n := range lines {
		b.Append(fmt.Appendf(nil, "%06d%s\n", n, line))
	}
	first, end := b.Bounds()
	kept, dropped := b.Size()
	if end != lines || kept+dropped != lines*100 || kept > 2<<20 || kept < 3<<19 || int64(first)*100 != dropped {
		t.Errorf("lines %d to %d, %d bytes are kept and %d dropped", first, end, kept, dropped)
	}
	n := first
	for l := range b.Lines(0, end) {
		if l.Number != n || string(l.Raw) != fmt.Sprintf("%06d%s", n, line) {
			t.Fatalf("line %d is %q", l.Number, l.Raw)
		}
		n++
	}
	if n != lines {
		t.Errorf("%d lines were read", n-first)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) > 0 && os.PathSeparator == '/' {
		t.Errorf("files can be seen: %q", files)
	}
}

func TestALineThatOverwritesItselfStaysShort(t *testing.T) {
	t.Parallel()
	b := newBuffer(t, Options{})
	for n := range 50_000 {
		b.Append(fmt.Appendf(nil, "\r\x1b[32m%d of 50000\x1b[0m", n))
	}
	if kept, _ := b.Size(); kept > 2*maxLine {
		t.Errorf("it has %d bytes", kept)
	}
	b.Append([]byte(" done\n"))
	if got := b.Text(0, 1); got != "49999 of 50000 done" {
		t.Errorf("it shows %q", got)
	}
}

func TestALineThatIsTooLongBecomesSeveralWhichAreCopiedAsOne(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1000, 70_000, 300_000} {
		b := newBuffer(t, Options{})
		text := strings.Repeat("äöü中\x1b[31m文\x1b[0m", 10_000)
		for at := 0; at < len(text); at += size {
			b.Append([]byte(text[at:min(at+size, len(text))]))
		}
		b.Append([]byte("\nnext"))
		first, end := b.Bounds()
		if end-first < 3 {
			t.Errorf("%d lines", end-first)
		}
		for line := range b.Lines(first, end) {
			if len(line.Raw) > maxLine {
				t.Errorf("a line has %d bytes", len(line.Raw))
			}
		}
		if want := strings.Repeat("äöü中文", 10_000) + "\nnext"; b.Text(first, end) != want {
			t.Errorf("in pieces of %d it shows another text", size)
		}
	}
}

func TestALineKnowsTheStyleInWhichItBegins(t *testing.T) {
	t.Parallel()
	b := newBuffer(t, Options{})
	b.Append([]byte("plain\n\x1b[31mred\nstill\n\x1b[0mplain\nplain"))
	red := ansi.Style{Fg: ansi.Indexed(1)}
	n := 0
	for line := range b.Lines(0, 5) {
		if want := map[int]ansi.Style{2: red, 3: red}[n]; line.Start != want {
			t.Errorf("line %d begins in %v", n, line.Start)
		}
		n++
	}
}

func TestWithoutAFileTheNewestStaysInMemory(t *testing.T) {
	t.Parallel()
	b := newBuffer(t, Options{Dir: filepath.Join(t.TempDir(), "none"), Max: 64 << 20})
	line := []byte(strings.Repeat("y", 99) + "\n")
	for range 300_000 {
		b.Append(line)
	}
	first, end := b.Bounds()
	if kept, _ := b.Size(); kept > 24<<20 || end-first < 50_000 {
		t.Errorf("%d bytes are kept, lines %d to %d", kept, first, end)
	}
	for l := range b.Lines(end-1, end) {
		if !bytes.Equal(l.Raw, line[:99]) {
			t.Errorf("the last line is %q", l.Raw)
		}
	}
}

// A buffer agrees with a slice of strings, whatever the pieces, and while others read.
func TestABufferAgreesWithAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := newBuffer(t, Options{Memory: 1 << 12, Max: 1 << 18})
		var want strings.Builder
		var wg sync.WaitGroup
		for range 300 {
			var piece strings.Builder
			for range r.IntN(40) {
				piece.WriteString([]string{"a", "\n", "中", "long enough to fill it ", "\t"}[r.IntN(5)])
			}
			want.WriteString(piece.String())
			b.Append([]byte(piece.String()))
			if r.IntN(20) == 0 {
				wg.Go(func() { texts(b) })
			}
		}
		lines := strings.Split(want.String(), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		first, end := b.Bounds()
		if end != len(lines) {
			t.Fatalf("seed %d: %d lines, want %d", seed, end, len(lines))
		}
		for range 50 {
			from := first + r.IntN(end-first)
			to := from + r.IntN(end-from) + 1
			if got := b.Text(from, to); got != strings.Join(lines[from:to], "\n") {
				t.Fatalf("seed %d: lines %d to %d are %q", seed, from, to, got)
			}
			block := b.Block(from, to, 1+r.IntN(2000))
			for n := range block.Len() {
				line := block.Line(n)
				if string(line.Raw) != lines[line.Number] {
					t.Fatalf("seed %d: line %d is %q", seed, line.Number, line.Raw)
				}
				if got, start := block.At(starts(block, n)); got != n || start != starts(block, n) {
					t.Fatalf("seed %d: byte of line %d is in line %d", seed, n, got)
				}
			}
		}
		wg.Wait()
	}
}

func starts(b Block, n int) int {
	if n == 0 {
		return 0
	}
	return b.ends[n-1]
}
