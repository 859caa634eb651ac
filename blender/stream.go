package blender

import "bytes"

// markKind is the kind of a mark in the stream of a supervised Blender.
type markKind string

const (
	markReady     markKind = "ready"
	markPreparing markKind = "preparing"
	markBegin     markKind = "begin"
	markTemp      markKind = "temp"
	markEnd       markKind = "end"
)

// stream divides what a supervised Blender prints into text and marks. The marks say where the
// output of a run begins and ends (docs/protocol.md). stream passes bytes on as soon as they can't
// be part of a mark.
type stream struct {
	prefix []byte
	held   []byte // the beginning of a mark whose end has not come
	text   func(p []byte)
	mark   func(kind markKind, rest []byte)
}

// maxMark is how many bytes the line of a mark has at most; a longer line is text.
const maxMark = 512

func newStream(secret string, text func([]byte), mark func(markKind, []byte)) *stream {
	return &stream{prefix: []byte("\x1eblendtray " + secret + " "), text: text, mark: mark}
}

// Write takes the next bytes and never fails.
func (s *stream) Write(p []byte) (int, error) {
	n := len(p)
	if len(s.held) > 0 {
		p = append(s.held, p...)
		s.held = nil
	}
	for len(p) > 0 {
		at := bytes.Index(p, s.prefix)
		if at < 0 {
			keep := partialPrefix(p, s.prefix)
			s.pass(p[:len(p)-keep])
			s.hold(p[len(p)-keep:])
			return n, nil
		}
		s.pass(p[:at])
		line := p[at+len(s.prefix):]
		end := bytes.IndexByte(line[:min(len(line), maxMark)], '\n')
		if end < 0 {
			if len(line) >= maxMark {
				s.pass(p[at : at+len(s.prefix)])
				p = line
				continue
			}
			s.hold(p[at:])
			return n, nil
		}
		kind, rest, _ := bytes.Cut(line[:end], []byte(" "))
		s.mark(markKind(kind), rest)
		p = line[end+1:]
	}
	return n, nil
}

// Close passes on the bytes that were held back. It never fails.
func (s *stream) Close() error {
	s.pass(s.held)
	s.held = nil
	return nil
}

func (s *stream) pass(p []byte) {
	if len(p) > 0 {
		s.text(p)
	}
}

func (s *stream) hold(p []byte) {
	if len(p) > 0 {
		s.held = bytes.Clone(p)
	}
}

// partialPrefix returns how many bytes at the end of p may be the beginning of prefix.
func partialPrefix(p, prefix []byte) int {
	at := bytes.LastIndexByte(p[max(0, len(p)-len(prefix)+1):], prefix[0])
	if at < 0 {
		return 0
	}
	at += max(0, len(p)-len(prefix)+1)
	if bytes.HasPrefix(prefix, p[at:]) {
		return len(p) - at
	}
	return 0
}
