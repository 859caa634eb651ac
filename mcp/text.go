package mcp

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"blendtray/api"
)

// maxText is how many bytes of text an answer has at most. A resource has more.
const maxText = 8 << 10

// cut returns the beginning of a text, of at most n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutEnd returns the end of a text, of at most n bytes.
func cutEnd(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := len(s) - n
	for at < len(s) && !utf8.RuneStart(s[at]) {
		at++
	}
	return s[at:]
}

// cutMiddle returns a text of at most n bytes: the beginning and the end of a longer one, with a line
// between them that says how much is left out.
func cutMiddle(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const room = 60 // for the line
	head := cut(s, max(0, n-room)/2)
	tail := cutEnd(s, max(0, n-room)-len(head))
	return fmt.Sprintf("%s\n[… %d bytes left out …]\n%s", head, len(s)-len(head)-len(tail), tail)
}

// printed keeps the beginning and the end of what a run prints, in bounded memory, without the lines by
// which Blender says how far a render is.
type printed struct {
	head, tail []byte
	// line is the part of the last line that has come.
	line []byte
	// bytes is how many bytes of text there were, and status how many lines were left out.
	bytes  int64
	status int
}

// maxLine is how long a line may get before it counts as no line of a render.
const maxLine = 1 << 10

// add takes what a run has printed next.
func (p *printed) add(s string) {
	for s != "" {
		at := strings.IndexByte(s, '\n') + 1
		if at == 0 {
			p.line = append(p.line, s...)
			if len(p.line) > maxLine {
				p.keep(p.line)
				p.line = p.line[:0]
			}
			return
		}
		p.line = append(p.line, s[:at]...)
		s = s[at:]
		if api.IsRenderStatus(bytes.TrimRight(p.line, "\r\n")) {
			p.status++
		} else {
			p.keep(p.line)
		}
		p.line = p.line[:0]
	}
}

func (p *printed) keep(b []byte) {
	p.bytes += int64(len(b))
	if room := maxText - len(p.head); room > 0 && len(p.tail) == 0 {
		n := min(room, len(b))
		p.head, b = append(p.head, b[:n]...), b[n:]
	}
	p.tail = append(p.tail, b...)
	if len(p.tail) > 16*maxText {
		p.tail = append(p.tail[:0], p.tail[len(p.tail)-maxText:]...)
	}
}

// text returns what was printed in at most n bytes, and whether something of it is missing. where is the resource
// that has more, which the line names that says how much is left out.
func (p *printed) text(n int, where string) (text string, whole bool) {
	if len(p.line) > 0 {
		p.keep(p.line)
		p.line = p.line[:0]
	}
	all := strings.ToValidUTF8(string(p.head)+string(p.tail), "\ufffd")
	lost := p.bytes - int64(len(p.head)) - int64(len(p.tail))
	if lost == 0 && len(all) <= n {
		return all, true
	}
	more := "the resource " + where + " has all that the engine keeps"
	room := 60 + len(more) // for the line between the two
	head := cut(all, max(0, n-room)/2)
	tail := cutEnd(all, max(0, n-room)-len(head))
	return fmt.Sprintf("%s\n[… %d bytes left out; %s …]\n%s", head, p.bytes-int64(len(head)+len(tail)), more, tail), false
}
