package api

import "bytes"

// IsRenderStatus reports whether a line, without its end, is a line by which Blender says how
// far a render is, many times a second: "Fra:1 Mem:24.19M … | Sample 1/24", and from 4.5 on
// "00:01.203  render           | Sample 1/24". A run's progress says the same.
func IsRenderStatus(line []byte) bool {
	if rest, ok := bytes.CutPrefix(line, []byte("Fra:")); ok {
		return len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' && bytes.Contains(rest, []byte(" Mem:"))
	}
	_, ok := CutRenderLogHead(line)
	return ok
}

// CutRenderLogHead cuts the head off a line of Blender's log of renders, "00:01.203  render  | ",
// and reports whether the line has such a head.
func CutRenderLogHead(line []byte) (rest []byte, ok bool) {
	if len(line) == 0 || line[0] < '0' || line[0] > '9' {
		return nil, false
	}
	// Searched without a pattern: a script may print a million lines of numbers.
	bar := bytes.IndexByte(line[:min(64, len(line))], '|')
	if bar < 0 || !bytes.HasSuffix(bytes.TrimRight(line[:bar], " "), []byte(" render")) {
		return nil, false
	}
	return bytes.TrimLeft(line[bar+1:], " "), true
}
