package blender

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What Python's faulthandler prints when the process dies, and Blender prints around it:
//
//	Fatal Python error: Segmentation fault
//
//	Current thread 0x00007f… (most recent call first):
//	  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
//	  File "/home/me/script.py", line 2 in <module>
var (
	fatalLine = []byte("Fatal Python error: ")
	stackLine = regexp.MustCompile(`^  File "(.*)", line (\d+) in `)
)

// crashPlace finds in the last words of a Blender the line of the script that it died in, 0
// when that is not told, and the stack as it was printed.
func crashPlace(tail []byte, req Request) (line int, stack string) {
	at := bytes.LastIndex(tail, fatalLine)
	if at < 0 {
		return 0, ""
	}
	script := req.File
	if script == "" {
		script = req.Name
	}
	if script == "" {
		script = "<message>"
	}
	script = escapedName(script)
	var told strings.Builder
	current := false
	for text := range strings.Lines(string(tail[at:])) {
		header := strings.Contains(text, "(most recent call first):")
		found := stackLine.FindStringSubmatch(text)
		switch {
		case header:
			current = strings.HasPrefix(text, "Current thread") || strings.HasPrefix(text, "Stack")
		case found != nil && current:
			if ownFrame(found[1]) {
				continue
			}
			if line == 0 && found[1] == script {
				line, _ = strconv.Atoi(found[2]) // the pattern admits digits alone
			}
		case strings.TrimSpace(text) != "" && told.Len() > 0 && !bytes.HasPrefix([]byte(text), fatalLine):
			continue // Blender's own words
		}
		if current || told.Len() == 0 {
			told.WriteString(text)
		}
	}
	return line, strings.TrimRight(told.String(), "\n") + "\n"
}

// ownFrame tells whether a file of a stack belongs to the add-on.
func ownFrame(file string) bool {
	return strings.Contains(file, "/addon/tcp_echo/") || strings.Contains(file, `\addon\tcp_echo\`) ||
		strings.HasSuffix(file, "launcher.py")
}

// escapedName is a file's name as faulthandler prints it, which writes ASCII alone and cuts
// a name after 500 characters.
func escapedName(name string) string {
	var b strings.Builder
	count := 0
	for _, r := range name {
		if count == 500 {
			b.WriteString("...")
			break
		}
		count++
		switch {
		case r >= ' ' && r < utf8.RuneSelf-1:
			b.WriteRune(r)
		case r <= 0xff:
			b.WriteString(`\x` + zeroHex(r, 2))
		case r <= 0xffff:
			b.WriteString(`\u` + zeroHex(r, 4))
		default:
			b.WriteString(`\U` + zeroHex(r, 8))
		}
	}
	return b.String()
}

func zeroHex(r rune, width int) string {
	text := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, width-len(text))) + text
}
