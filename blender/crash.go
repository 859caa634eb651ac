package blender

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Python's faulthandler prints the following when the process dies, with one part for each
// thread; Blender prints its own lines around it:
//
//	Fatal Python error: Segmentation fault
//
//	Thread 0x00007f… (most recent call first):
//	  File "/home/me/script.py", line 2 in <module>
//
//	Current thread 0x00007f… (most recent call first):
//	  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
//	  File "/home/me/script.py", line 2 in <module>
//
// Blender's own report holds the same lines after "# Python backtrace". On Windows the first line of
// a fault of the processor is "Windows fatal exception: access violation".
var (
	fatalLine  = []byte("Fatal Python error: ")
	faultLine  = []byte("Windows fatal exception: ")
	stackLine  = regexp.MustCompile(`^  File "(.*)", line (\d+) in `)
	threadLine = regexp.MustCompile(`^(Current thread|Thread|Stack) .*\(most recent call first\)`)
)

// section is the stack of one thread.
type section struct {
	header  string
	frames  []string
	current bool
	line    int // the innermost line of the script on the stack; 0 when there is none
}

// crashPlace reads the last words of a Blender. It returns the line of the script that Blender died
// in, 0 when that is not known, and the stack of the thread that died, as it was printed. When
// Python does not know that thread, it returns the stack of the thread that executes the script.
func crashPlace(tail []byte, req Request) (line int, stack string) {
	at, _ := lastFatal(tail)
	if at < 0 {
		return 0, ""
	}
	fatal, rest, _ := strings.Cut(string(tail[at:]), "\n")
	fatal = strings.TrimRight(fatal, "\r")
	sections := stacks(rest, req)
	chosen := -1
	for i, s := range sections {
		if s.current && (s.line > 0 || chosen < 0) || s.line > 0 && (chosen < 0 || sections[chosen].line == 0) {
			chosen = i
		}
	}
	if chosen < 0 {
		return 0, fatal + "\n"
	}
	s := sections[chosen]
	return s.line, fatal + "\n\n" + s.header + "\n" + strings.Join(s.frames, "\n") + "\n"
}

// stacks returns the printed stack of each thread, without the frames of the add-on.
func stacks(text string, req Request) []section {
	script := escapedName(cmp.Or(req.File, req.Name, "<message>"))
	var all []section
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if threadLine.MatchString(line) {
			all = append(all, section{header: line, current: !strings.HasPrefix(line, "Thread")})
			continue
		}
		if len(all) == 0 {
			continue
		}
		s := &all[len(all)-1]
		found := stackLine.FindStringSubmatch(line)
		switch {
		case found == nil && strings.HasPrefix(line, "  "): // "<no Python frame>", "..."
			s.frames = append(s.frames, line)
		case found == nil: // Blender's words, or Python's list of modules
		case ownFrame(found[1]):
		default:
			s.frames = append(s.frames, line)
			if s.line == 0 && found[1] == script {
				s.line, _ = strconv.Atoi(found[2]) // the pattern admits digits alone
			}
		}
	}
	return all
}

// lastFatal returns where the last words about a death begin, and where the cause of death begins
// after them. It returns -1 when there are no such words.
func lastFatal(tail []byte) (at, cause int) {
	at, cause = -1, -1
	for _, line := range [][]byte{fatalLine, faultLine} {
		if found := bytes.LastIndex(tail, line); found > at {
			at, cause = found, found+len(line)
		}
	}
	return at, cause
}

// fatalText returns the cause of death that Python has printed, or "".
func fatalText(tail []byte) string {
	_, cause := lastFatal(tail)
	if cause < 0 {
		return ""
	}
	text, _, _ := bytes.Cut(tail[cause:], []byte("\n"))
	return string(bytes.TrimSpace(text))
}

// saysTheSignal returns whether the cause of death that Python has printed says the same as the
// signal, or on Windows the same as the exception.
func saysTheSignal(death string) bool {
	switch death {
	case "Segmentation fault", "Aborted", "Bus error", "Floating point exception", "Floating-point exception",
		"Illegal instruction", "access violation", "stack overflow", "page error",
		"int divide by zero", "integer overflow", "float divide by zero", "float overflow":
		return true
	}
	return strings.HasPrefix(death, "code 0x")
}

// deathIn returns what Python has written into its file of faults about the end of the process. An
// error of Python or abort() ends the process, whatever faults the libraries live through meanwhile. Of
// other faults only the last can have ended it.
func deathIn(faults []byte) []byte {
	if at := bytes.Index(faults, fatalLine); at >= 0 {
		faults = faults[at:]
		if after := bytes.Index(faults, faultLine); after >= 0 {
			faults = faults[:after]
		}
	}
	return faults
}

// faultsIn returns what Python has written into its file of faults, or nil. The file has many faults
// when a script has lived through some; its end has the last.
func faultsIn(path string) []byte {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxReport {
		_, _ = file.Seek(-maxReport, io.SeekEnd) // else the beginning is read
	}
	text, _ := io.ReadAll(io.LimitReader(file, maxReport)) // what could be read is used
	return text
}

// maxReport is how many bytes of a crash report are read at most.
const maxReport = 256 << 10

// newestReport returns the beginning of the newest crash report of Blender in dir, or nil when
// there is none.
func newestReport(dir string) []byte {
	reports, err := filepath.Glob(filepath.Join(escapedPattern(dir), "*.crash.txt"))
	if err != nil {
		return nil // the pattern is always right
	}
	var text []byte
	var newest time.Time
	for _, path := range reports {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().After(newest) {
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		newest = info.ModTime()
		text, _ = io.ReadAll(io.LimitReader(file, maxReport)) // what could be read is used
		file.Close()
	}
	return text
}

// crashReport returns what [crashPlace] returns, but reads the file that Blender writes when it
// crashes. It is used when faulthandler could not print.
func crashReport(text []byte, req Request) (line int, stack string) {
	_, python, ok := strings.Cut(string(text), "# Python backtrace\n")
	if !ok {
		return 0, strings.TrimSpace(string(text))
	}
	s := stacks("Current thread (most recent call first):\n"+python, req)[0]
	return s.line, s.header + "\n" + strings.Join(s.frames, "\n") + "\n"
}

// ownFrame returns whether a file in a stack belongs to the add-on.
func ownFrame(file string) bool {
	return strings.Contains(file, "/addon/tcp_echo/") || strings.Contains(file, `\addon\tcp_echo\`) ||
		strings.HasSuffix(file, "/addon/launcher.py") || strings.HasSuffix(file, `\addon\launcher.py`)
}

// escapedName returns a file's name as faulthandler prints it: in ASCII alone, and cut after 500
// characters.
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
