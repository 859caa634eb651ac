package mcp

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOutputIsKeptAtItsBeginningAndItsEnd(t *testing.T) {
	t.Parallel()
	var p printed
	for i := range 1_000_000 {
		p.add(fmt.Sprintf("line %d\n", i))
	}
	text, whole := p.text(maxText)
	if whole || len(text) > maxText || !strings.HasPrefix(text, "line 0\n") || !strings.HasSuffix(text, "line 999999\n") {
		t.Errorf("whole %v, %d bytes, %q … %q", whole, len(text), cut(text, 20), cutEnd(text, 20))
	}
	if size := cap(p.head) + cap(p.tail) + cap(p.line); size > 1<<20 {
		t.Errorf("it takes %d bytes of memory", size)
	}
}

func TestShortOutputIsWhole(t *testing.T) {
	t.Parallel()
	var p printed
	p.add("hel")
	p.add("lo\nwithout an end")
	if text, whole := p.text(maxText); text != "hello\nwithout an end" || !whole {
		t.Errorf("%q, %v", text, whole)
	}
	var none printed
	if text, whole := none.text(maxText); text != "" || !whole {
		t.Errorf("%q, %v", text, whole)
	}
}

func TestLinesOfARenderAreNoOutput(t *testing.T) {
	t.Parallel()
	var p printed
	p.add("before\nFra:1 Mem:10.37M (Peak 10.47M) | Time:00:00.04 | Mem:0.90M, Peak:0.90M | Scene, ViewLayer | Sample 1/16\n00:01.643  ren")
	p.add("der           | Fra: 1 | Remaining: 00:09.21 | Mem: 2M | Sample 1/16\nFra:mine\n")
	if text, _ := p.text(maxText); text != "before\nFra:mine\n" || p.status != 2 {
		t.Errorf("%q, %d lines were left out", text, p.status)
	}
}

func TestATextIsCutBetweenSigns(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("größe😀", 5000)
	var p printed
	p.add(long)
	text, _ := p.text(1000)
	for _, got := range []string{cutMiddle(long, 1000), text, cut(long, 11), cutEnd(long, 11)} {
		if !utf8.ValidString(got) || len(got) > 1000 {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
