package app

import "bytes"

// prefixer puts a prefix before every line that is written through it and holds back what has
// no end yet. Of a line that is overwritten with carriage returns, the last state counts.
type prefixer struct {
	prefix string
	held   []byte
}

// maxHeld is how long a line may grow that does not end.
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
	out.WriteString(p.prefix)
	out.WriteString(clean(string(line)))
	out.WriteByte('\n')
}
