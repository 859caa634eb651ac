package engine

import (
	"bytes"
	"fmt"
	"sync"
	"unicode/utf8"
)

// capture keeps the beginning and the end of what a run prints, as UTF-8. Terminal escapes
// stay as they are.
type capture struct {
	mu    sync.Mutex
	half  int
	head  []byte
	tail  []byte // the last bytes after head, at most 2*half of them
	carry []byte // the beginning of a character whose end has not come yet
	text  int64  // bytes of UTF-8 made from what was printed
}

func newCapture(limit int) *capture { return &capture{half: max(limit/2, utf8.UTFMax)} }

// write takes the next bytes and returns them as UTF-8 that ends with a whole character. The
// result is valid until the next call and may share p's memory.
func (c *capture) write(p []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.carry) > 0 {
		p = append(c.carry, p...)
		c.carry = nil
	}
	if n := incomplete(p); n > 0 {
		c.carry = bytes.Clone(p[len(p)-n:])
		p = p[:len(p)-n]
	}
	return c.keepLocked(p)
}

// end returns the rest of a character that was never finished.
func (c *capture) end() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.carry
	c.carry = nil
	return c.keepLocked(p)
}

// keepLocked adds p to the kept output and returns p as UTF-8. It needs mu.
func (c *capture) keepLocked(p []byte) []byte {
	if !utf8.Valid(p) {
		p = bytes.ToValidUTF8(p, []byte(string(utf8.RuneError)))
	}
	c.text += int64(len(p))
	rest := p
	// Once anything is in the tail the head is closed, even if a character did not fit into the
	// head.
	if len(c.tail) == 0 {
		n := min(c.half-len(c.head), len(rest))
		for n > 0 && n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		c.head = append(c.head, rest[:n]...)
		rest = rest[n:]
	}
	if len(rest) > c.half {
		rest = rest[len(rest)-c.half:]
		c.tail = c.tail[:0]
	}
	// Moving the tail only when its size has doubled keeps the cost of a byte constant.
	if len(c.tail)+len(rest) > 2*c.half {
		keep := c.half
		if keep > len(c.tail) {
			keep = len(c.tail)
		}
		c.tail = c.tail[:copy(c.tail, c.tail[len(c.tail)-keep:])]
	}
	c.tail = append(c.tail, rest...)
	return p
}

// next returns the byte at which the text begins that write or end will return.
func (c *capture) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text
}

// bytes returns the number of bytes of UTF-8 that were made from what was printed in all, which is what
// the offsets in the output count. The capture may be nil: of a run that was not sent.
func (c *capture) bytes() int64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text
}

// kept returns the output that is kept. The capture may be nil: of a run that was not sent.
func (c *capture) kept() kept {
	if c == nil {
		return kept{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	tail := c.tail
	if len(tail) > c.half {
		tail = tail[len(tail)-c.half:]
	}
	cut := c.text - int64(len(c.head)) - int64(len(tail))
	for cut > 0 && len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
		cut++
	}
	return kept{text: string(c.head) + string(tail), at: int64(len(c.head)), cut: cut}
}

// String returns the output that is kept, as [kept.String] does.
func (c *capture) String() string { return c.kept().String() }

// kept is the output that is kept of a run. The text lacks cut bytes at the byte at.
type kept struct {
	text    string
	at, cut int64
}

// String returns the whole output or, when bytes were cut, its beginning and its end with a line
// between them that says how many bytes were cut.
func (k kept) String() string {
	if k.cut <= 0 {
		return k.text
	}
	return fmt.Sprintf("%s\n[… %d bytes of output were cut here …]\n%s", k.text[:k.at], k.cut, k.text[k.at:])
}

// from returns the text from the printed byte n on, up to the cut if there is one; at, the byte
// where that text begins; and total, the number of printed bytes in all.
func (k kept) from(n int64) (text []byte, at, total int64) {
	total = int64(len(k.text)) + k.cut
	n = min(max(n, 0), total)
	switch {
	case k.cut <= 0:
		return []byte(k.text[n:]), n, total
	case n < k.at:
		return []byte(k.text[n:k.at]), n, total
	}
	n = max(n, k.at+k.cut)
	return []byte(k.text[n-k.cut:]), n, total
}

// incomplete returns the number of bytes at the end of p that begin a character which p does not
// finish.
func incomplete(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		b := p[len(p)-n:]
		if utf8.RuneStart(b[0]) {
			if utf8.FullRune(b) {
				return 0
			}
			return n
		}
	}
	return 0
}
