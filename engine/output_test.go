package engine

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShortOutputIsKeptWhole(t *testing.T) {
	t.Parallel()
	c := newCapture(100)
	for _, p := range []string{"héllo\r\n", "\x1b[31mred\x1b[0m", strings.Repeat("x", 80)} {
		c.write([]byte(p))
	}
	if got, want := c.String(), "héllo\r\n\x1b[31mred\x1b[0m"+strings.Repeat("x", 80); got != want {
		t.Errorf("%q", got)
	}
}

func TestLongOutputKeepsItsBeginningAndItsEndAndSaysWhatWasCut(t *testing.T) {
	t.Parallel()
	for _, step := range []int{1, 3, 7, 64, 1000, 100_000} {
		text := []byte(strings.Repeat("añ€😀", 10_000))
		c := newCapture(1000)
		for rest := text; len(rest) > 0; {
			n := min(step, len(rest))
			c.write(rest[:n])
			rest = rest[n:]
		}
		c.write(c.end())
		got := c.String()
		head, after, ok := strings.Cut(got, "\n[… ")
		if !ok || !utf8.ValidString(got) {
			t.Fatalf("step %d: %q", step, got)
		}
		var cut int
		number, tail, _ := strings.Cut(after, " bytes of output were cut here …]\n")
		if _, err := fmt.Sscan(number, &cut); err != nil {
			t.Fatal(err)
		}
		if len(head)+cut+len(tail) != len(text) {
			t.Errorf("step %d: %d + %d + %d is not %d", step, len(head), cut, len(tail), len(text))
		}
		if !bytes.HasPrefix(text, []byte(head)) || !bytes.HasSuffix(text, []byte(tail)) || len(head) < 490 || len(tail) < 490 || len(got) > 1100 {
			t.Errorf("step %d: kept %d and %d", step, len(head), len(tail))
		}
	}
}

func TestACharacterSplitBetweenWritesStaysWhole(t *testing.T) {
	t.Parallel()
	c := newCapture(100)
	var pieces []string
	for _, b := range []byte("a€😀b") {
		pieces = append(pieces, string(c.write([]byte{b})))
	}
	if got := strings.Join(pieces, "|"); got != "a|||€||||😀|b" {
		t.Errorf("%q", got)
	}
	if c.String() != "a€😀b" || c.bytes() != 9 {
		t.Errorf("%q, %d bytes", c.String(), c.bytes())
	}
}

func TestWhatIsNotUTF8IsReplaced(t *testing.T) {
	t.Parallel()
	c := newCapture(100)
	c.write([]byte("a\xffb\xe2\x82"))
	c.end()
	if got := c.String(); got != "a\uFFFDb\uFFFD" || c.bytes() != int64(len(got)) {
		t.Errorf("%q, %d bytes", got, c.bytes())
	}
}

func FuzzOutputIsAlwaysUTF8AndBounded(f *testing.F) {
	f.Add([]byte("añ€😀\xff\xe2\x82"), 3)
	f.Fuzz(func(t *testing.T, p []byte, step int) {
		if step < 1 {
			return
		}
		c := newCapture(64)
		total := 0
		for len(p) > 0 {
			n := min(step, len(p))
			out := c.write(p[:n])
			if !utf8.Valid(out) {
				t.Fatalf("%q", out)
			}
			total += len(out)
			p = p[n:]
		}
		total += len(c.end())
		if got := c.String(); !utf8.ValidString(got) || len(got) > 64+80 || c.bytes() != int64(total) {
			t.Fatalf("%q (%d of %d bytes)", got, c.bytes(), total)
		}
	})
}
