package mcp

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"blendtray/api"
)

func TestOutputIsKeptAtItsBeginningAndItsEnd(t *testing.T) {
	t.Parallel()
	var p printed
	for i := range 1_000_000 {
		p.add(fmt.Sprintf("line %d\n", i))
	}
	text, whole := p.text(maxText, "blendtray://runs/1/output")
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
	if text, whole := p.text(maxText, "blendtray://runs/1/output"); text != "hello\nwithout an end" || !whole {
		t.Errorf("%q, %v", text, whole)
	}
	var none printed
	if text, whole := none.text(maxText, "blendtray://runs/1/output"); text != "" || !whole {
		t.Errorf("%q, %v", text, whole)
	}
}

func TestLinesOfARenderAreNoOutput(t *testing.T) {
	t.Parallel()
	var p printed
	p.add("before\nFra:1 Mem:10.37M (Peak 10.47M) | Time:00:00.04 | Mem:0.90M, Peak:0.90M | Scene, ViewLayer | Sample 1/16\n00:01.643  ren")
	p.add("der           | Fra: 1 | Remaining: 00:09.21 | Mem: 2M | Sample 1/16\nFra:mine\n")
	if text, _ := p.text(maxText, "blendtray://runs/1/output"); text != "before\nFra:mine\n" || p.status != 2 {
		t.Errorf("%q, %d lines were left out", text, p.status)
	}
}

func TestATextIsCutBetweenSigns(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("größe😀", 5000)
	var p printed
	p.add(long)
	text, _ := p.text(1000, "blendtray://runs/1/output")
	for _, got := range []string{cutMiddle(long, 1000), text, cut(long, 11), cutEnd(long, 11)} {
		if !utf8.ValidString(got) || len(got) > 1000 {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}

func TestACutOutputNamesTheResourceThatHasMore(t *testing.T) {
	t.Parallel()
	got := seen{run: api.Run{ID: "47", State: api.Failed, Error: &api.ScriptError{Type: "ValueError", Message: strings.Repeat("long ", 1000)}}}
	got.out.add(strings.Repeat("a line\n", 500_000))
	text := said(answerOf(got))
	for _, want := range []string{
		" bytes left out; the resource blendtray://runs/47/output has all that the engine keeps …]\n",
		"the engine keeps the beginning and the end (the setting runs.output)",
		"The whole error is in the resource blendtray://runs/47",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer lacks %q", want)
		}
	}
	if strings.Contains(text, "whole output") || len(text) > maxText {
		t.Errorf("%d bytes of text promise the whole output: %v", len(text), strings.Contains(text, "whole output"))
	}
}

// The error of a run that was cancelled says only that it was.
func TestTheAnswerOfACancelledRunSaysWhy(t *testing.T) {
	t.Parallel()
	res := answerOf(seen{run: api.Run{
		ID: "1", State: api.Cancelled, Reason: "Blender was stopped",
		Error: &api.ScriptError{Type: "tcp_echo.interrupt.RunCancelled", Message: "cancelled"},
	}})
	if !res.IsError || !strings.Contains(said(res), "Blender was stopped") {
		t.Errorf("%s", said(res))
	}
}
