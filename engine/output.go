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
	raw   int64  // bytes printed
	text  int64  // bytes of UTF-8 made from them
}

func newCapture(limit int) *capture { return &capture{half: max(limit/2, utf8.UTFMax)} }

// write takes the next bytes and returns them as UTF-8 that ends with a whole character;
// what it returns is valid until the next call and may share p.
func (c *capture) write(p []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw += int64(len(p))
	if len(c.carry) > 0 {
		p = append(c.carry, p...)
		c.carry = nil
	}
	if n := incomplete(p); n > 0 {
		c.carry = bytes.Clone(p[len(p)-n:])
		p = p[:len(p)-n]
	}
	return c.keep(p)
}

// end returns what is left of a character that was never finished.
func (c *capture) end() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.carry
	c.carry = nil
	return c.keep(p)
}

func (c *capture) keep(p []byte) []byte {
	if !utf8.Valid(p) {
		p = bytes.ToValidUTF8(p, []byte(string(utf8.RuneError)))
	}
	c.text += int64(len(p))
	rest := p
	// Once anything is in the tail the head is closed, even if a character did not fit in.
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
	// Moving the tail only when it has doubled keeps the cost of a byte constant.
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

// bytes is how much was printed in all.
func (c *capture) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw
}

// String is what is kept: all of it, or its beginning and its end with a line between them
// that says how many bytes were cut.
func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	tail := c.tail
	if len(tail) > c.half {
		tail = tail[len(tail)-c.half:]
	}
	cut := c.text - int64(len(c.head)) - int64(len(tail))
	if cut <= 0 {
		return string(c.head) + string(tail)
	}
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
		cut++
	}
	return fmt.Sprintf("%s\n[… %d bytes of output were cut here …]\n%s", c.head, cut, tail)
}

// incomplete is how many bytes at the end of p begin a character that p does not finish.
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
