package ansi

const esc = 0x1b

// reader takes what scan finds in a line.
type reader interface {
	print(text []byte)             // text without control characters
	control(b byte)                // a control character below U+0020
	csi(final byte, params []byte) // a control sequence
}

// scan passes the parts of a line to a reader. A sequence that the line does not finish is left
// out.
func scan(raw []byte, to reader) {
	for i := 0; i < len(raw); {
		switch b := raw[i]; {
		case b == esc:
			i += escape(raw[i:], to)
		case b < ' ' || b == 0x7f:
			to.control(b)
			i++
		case b == 0xc2 && i+1 < len(raw) && raw[i+1] >= 0x80 && raw[i+1] < 0xa0:
			i += c1(raw[i:], to)
		default:
			n := i + 1
			for n < len(raw) && raw[n] >= ' ' && raw[n] != 0x7f &&
				!(raw[n] == 0xc2 && n+1 < len(raw) && raw[n+1] >= 0x80 && raw[n+1] < 0xa0) {
				n++
			}
			to.print(raw[i:n])
			i = n
		}
	}
}

// escape reads the sequence that raw begins with and returns its length.
func escape(raw []byte, to reader) int {
	if len(raw) < 2 {
		return len(raw)
	}
	switch raw[1] {
	case '[':
		return 2 + csi(raw[2:], to)
	case ']', 'P', 'X', '^', '_': // strings, such as a title or a link
		return 2 + stringEnd(raw[2:])
	}
	n := 1
	for n < len(raw) && raw[n] >= ' ' && raw[n] < '0' { // intermediate bytes
		n++
	}
	if n < len(raw) && raw[n] >= '0' && raw[n] < 0x7f {
		n++
	}
	return n
}

// c1 reads the C1 control character that raw begins with, and the sequence that it begins.
func c1(raw []byte, to reader) int {
	switch raw[1] {
	case 0x9b:
		return 2 + csi(raw[2:], to)
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
		return 2 + stringEnd(raw[2:])
	}
	return 2
}

// csi reads a control sequence after its introducer and returns the length of what it has read.
func csi(raw []byte, to reader) int {
	for n, b := range raw {
		switch {
		case b >= '@' && b < 0x7f:
			to.csi(b, raw[:n])
			return n + 1
		case b < ' ' || b >= 0x7f:
			return n // not a sequence: what follows is text again
		}
	}
	return len(raw)
}

// stringEnd returns the length of a control string with its end: BEL, ESC \ or U+009C. A string
// that the line does not finish takes no text with it.
func stringEnd(raw []byte) int {
	for n := 0; n < len(raw); n++ {
		switch b := raw[n]; {
		case b == 0x07:
			return n + 1
		case b == esc && n+1 < len(raw) && raw[n+1] == '\\':
			return n + 2
		case b == esc:
			return n
		case b == 0xc2 && n+1 < len(raw) && raw[n+1] == 0x9c:
			return n + 2
		}
	}
	return 0
}

// number reads the decimal number at the beginning of p, and returns missing for none.
func number(p []byte, missing int) int {
	if len(p) == 0 || p[0] < '0' || p[0] > '9' {
		return missing
	}
	n := 0
	for _, b := range p {
		if b < '0' || b > '9' || n > 1<<20 {
			break
		}
		n = n*10 + int(b-'0')
	}
	return n
}
