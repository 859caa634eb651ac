package watcher

import "bytes"

// unfinished reports whether Python code looks as if the rest of it were missing: a bracket or a
// text is open, or a block or an expression has only begun. It is no parser. Where it errs, the watcher
// waits longer than it needs to, or not longer than for other files.
func unfinished(code []byte) bool {
	var open []byte   // the brackets that are open
	last := byte('.') // the last byte that is neither space nor comment
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case ' ', '\t', '\r', '\f', '\n':
			continue
		case '#':
			n := bytes.IndexByte(code[i:], '\n')
			if n < 0 {
				n = len(code) - i
			}
			i += n
			continue
		case '\\':
			if bytes.HasPrefix(code[i+1:], []byte("\n")) || bytes.HasPrefix(code[i+1:], []byte("\r\n")) {
				last = c
				continue
			}
		case '\'', '"':
			end := textEnd(code, i)
			if end < 0 {
				return true
			}
			i = end - 1
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || bytes.IndexByte([]byte("([{"), open[len(open)-1]) != bytes.IndexByte([]byte(")]}"), c) {
				return true
			}
			open = open[:len(open)-1]
		}
		last = code[i]
	}
	return len(open) > 0 || bytes.IndexByte([]byte(`:,=+-*/%&|^<>@~\`), last) >= 0
}

// textEnd returns where the text ends that begins with the quote at i, or -1 when it does not end.
func textEnd(code []byte, i int) int {
	quote := code[i : i+1]
	long := bytes.HasPrefix(code[i:], bytes.Repeat(quote, 3))
	if long {
		quote = code[i : i+3]
	}
	for j := i + len(quote); j < len(code); j++ {
		switch {
		case code[j] == '\\':
			j++
		case bytes.HasPrefix(code[j:], quote):
			return j + len(quote)
		case code[j] == '\n' && !long:
			return -1
		}
	}
	return -1
}
