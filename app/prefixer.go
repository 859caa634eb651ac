package app

import (
	"bytes"

	"blendtray/api"
)

// prefixer writes a prefix before every line and holds back a line until its end comes. For a
// line that carriage returns overwrite, the last state counts.
type prefixer struct {
	prefix string
	// leaveOut reports whether a line is left out; with nil no line is.
	leaveOut func(line []byte) bool
	held     []byte
}

// maxHeld is how long an unfinished line may grow.
const maxHeld = 8 << 10

func (p *prefixer) add(text string) string {
	var out bytes.Buffer
	p.held = append(p.held, text...)
	for {
		i := bytes.IndexByte(p.held, '\n')
		if i < 0 {
			break
		}
		p.line(&out, p.held[:i])
		p.held = p.held[i+1:]
	}
	if len(p.held) > maxHeld {
		p.line(&out, p.held)
		p.held = nil
	}
	return out.String()
}

func (p *prefixer) rest() string {
	if len(p.held) == 0 {
		return ""
	}
	var out bytes.Buffer
	p.line(&out, p.held)
	p.held = nil
	return out.String()
}

func (p *prefixer) line(out *bytes.Buffer, line []byte) {
	line = bytes.TrimRight(line, "\r")
	if i := bytes.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:]
	}
	if p.leaveOut != nil && p.leaveOut(line) {
		return
	}
	out.WriteString(p.prefix)
	out.WriteString(clean(string(line)))
	out.WriteByte('\n')
}

// statusFilter removes the lines from a text in which Blender says how far a render is. Text
// that can't be such a line goes on at once, with or without its end.
type statusFilter struct {
	on   bool
	held []byte // the beginning of a possible status line
	open bool   // a line has gone on whose end has not come yet
}

func (f *statusFilter) add(text string) string {
	if !f.on {
		return text
	}
	var out bytes.Buffer
	rest := append(f.held, text...)
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end >= 0 && (f.open || !api.IsRenderStatus(rest[:end])):
			out.Write(rest[:end+1])
		case end >= 0:
			// left out
		case !f.open && len(rest) < maxHeld && mayBecomeStatus(rest):
			f.held = bytes.Clone(rest)
			return out.String()
		default:
			out.Write(rest)
			end, f.open = len(rest)-1, true
		}
		if rest[end] == '\n' {
			f.open = false
		}
		rest = rest[end+1:]
	}
	f.held = nil
	return out.String()
}

// rest returns the text that was held back, after the last text has come.
func (f *statusFilter) rest() string {
	held := f.held
	f.held = nil
	return string(held)
}

// mayBecomeStatus reports whether a line that begins with line can be a status line of a render.
func mayBecomeStatus(line []byte) bool {
	const head = "Fra:"
	if n := min(len(line), len(head)); string(line[:n]) == head[:n] {
		return true
	}
	// The log's head is "00:01.203  render  | ". "1 " is no beginning of that, so that numbers which
	// a script prints one by one are seen one by one.
	rest := bytes.TrimLeft(line, "0123456789:.")
	number := line[:len(line)-len(rest)]
	if len(number) == 0 || len(rest) == 0 {
		return len(number) > 0
	}
	name := bytes.TrimLeft(rest, " ")
	return bytes.IndexByte(number, ':') > 0 && len(name) < len(rest) &&
		(bytes.HasPrefix([]byte("render"), name) || bytes.HasPrefix(name, []byte("render")))
}
