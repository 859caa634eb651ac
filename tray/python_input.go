//go:build !headless

package tray

import (
	"regexp"
	"strings"
)

// indentStep is how much further in the lines of a block are.
const indentStep = 4

// pythonEnd is how a piece of Python ends.
type pythonEnd struct {
	quote     string // the quotation marks of the text in which it ends, or ""
	brackets  []int  // where the brackets begin that are open
	logical   int    // where its last logical line begins
	last      byte   // the last byte of that line that is neither space nor comment, or 0
	continues bool   // a backslash at the end joins the next line
	headed    bool   // the last logical line that is not empty ends with a colon
}

// endOfPython returns how code ends, by the rules by which Python reads lines.
func endOfPython(code string) pythonEnd {
	var e pythonEnd
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch {
		case e.quote != "" && c == '\\':
			e.continues = i+1 == len(code)
			i++
		case e.quote != "" && strings.HasPrefix(code[i:], e.quote):
			i += len(e.quote) - 1
			e.quote = ""
		case e.quote != "" && (c != '\n' || len(e.quote) > 1):
		case c == '#':
			if end := strings.IndexByte(code[i:], '\n'); end < 0 {
				i = len(code)
			} else {
				i += end - 1
			}
		case c == '"' || c == '\'':
			e.quote, e.last = code[i:i+1], c
			if three := strings.Repeat(e.quote, 3); strings.HasPrefix(code[i:], three) {
				e.quote = three
			}
			i += len(e.quote) - 1
		case strings.IndexByte("([{", c) >= 0:
			e.brackets, e.last = append(e.brackets, i), c
		case strings.IndexByte(")]}", c) >= 0:
			e.brackets, e.last = e.brackets[:max(0, len(e.brackets)-1)], c
		case c == '\\' && i+1 == len(code):
			e.continues = true
		case c == '\\' && code[i+1] == '\n':
			i++
		case c == '\n':
			e.quote = ""
			if len(e.brackets) == 0 {
				if e.last != 0 {
					e.headed = e.last == ':'
				}
				e.logical, e.last = i+1, 0
			}
		case c != ' ' && c != '\t' && c != '\r' && c != '\f':
			e.last = c
		}
	}
	if e.last != 0 && len(e.brackets) == 0 {
		e.headed = e.last == ':'
	}
	return e
}

var (
	// compound matches a line that begins a statement which lines may follow.
	compound = regexp.MustCompile(`^(@|(if|elif|else|for|while|with|try|except|finally|def|class|async)\b)`)
	// leaves matches a line behind which nothing in its block is executed.
	leaves = regexp.MustCompile(`^(return|pass|break|continue|raise)\b`)
)

// afterEnter returns what Enter does at the end of code: whether the code is complete and runs, or
// with what the next line begins. It follows the interactive interpreter: an open bracket, text or
// block goes on, and an empty line ends a block.
func afterEnter(code string) (runs bool, indent string) {
	e := endOfPython(code)
	line := code[strings.LastIndexByte(code, '\n')+1:]
	here, statement := indentOf(line), strings.TrimSpace(code[e.logical:])
	outer := indentOf(code[e.logical:])
	switch {
	case len(e.quote) == 3, e.quote != "" && e.continues:
		return false, ""
	case e.quote != "":
		return true, "" // Python says what is wrong
	case len(e.brackets) > 0 && e.brackets[len(e.brackets)-1] >= len(code)-len(line):
		return false, deeper(here)
	case len(e.brackets) > 0:
		return false, here
	case e.continues && e.logical == len(code)-len(line):
		return false, deeper(here)
	case e.continues:
		return false, here
	case e.last == ':':
		return false, deeper(outer)
	case statement == "":
		return !e.headed, here
	case outer != "" && leaves.MatchString(statement):
		return false, shallower(outer)
	case outer != "" || compound.MatchString(statement):
		return false, outer
	}
	return true, ""
}

// indentOf returns the white space with which a line begins.
func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

func deeper(indent string) string {
	if strings.HasSuffix(indent, "\t") {
		return indent + "\t"
	}
	return indent + strings.Repeat(" ", indentStep)
}

func shallower(indent string) string {
	if cut, ok := strings.CutSuffix(indent, "\t"); ok {
		return cut
	}
	return indent[:max(0, len(indent)-indentStep)]
}

// prompted returns code as a transcript shows it, behind the prompts of the interactive interpreter.
func prompted(code string) string {
	var b strings.Builder
	prompt := ">>> "
	for line := range strings.SplitSeq(strings.TrimRight(code, "\n"), "\n") {
		b.WriteString("\x1b[36m" + prompt + "\x1b[0m" + line + "\n")
		prompt = "... "
	}
	return b.String()
}
