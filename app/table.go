package app

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// table holds rows of cells under a heading. Columns are as wide as their cells; on a terminal
// the last column is cut to the rest of the line.
type table struct {
	heading []string
	rows    [][]cell
}

type cell struct {
	text  string
	style style
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *terminal) printTable(tb *table) {
	t.writeOut(tb.render(t.width(), t.colorOut))
}

func (tb *table) render(width int, color bool) string {
	wide := make([]int, len(tb.heading))
	for i, h := range tb.heading {
		wide[i] = columns(h)
	}
	for _, row := range tb.rows {
		for i, c := range row {
			wide[i] = max(wide[i], columns(c.text))
		}
	}
	last := len(wide) - 1
	if width > 0 {
		left := width
		for _, w := range wide[:last] {
			left -= w + 2
		}
		wide[last] = max(left, 12)
	}
	var b strings.Builder
	line := func(row []cell) {
		var parts []string
		for i, c := range row {
			text := cut(c.text, wide[i])
			pad := ""
			if i < last {
				pad = strings.Repeat(" ", wide[i]-columns(text))
			}
			parts = append(parts, paint(color, c.style, text)+pad)
		}
		b.WriteString(strings.TrimRight(strings.Join(parts, "  "), " ") + "\n")
	}
	heading := make([]cell, len(tb.heading))
	for i, h := range tb.heading {
		heading[i] = cell{h, dim}
	}
	line(heading)
	for _, row := range tb.rows {
		line(row)
	}
	return b.String()
}

// columns returns how many columns of a terminal a text takes: letters of Chinese, Japanese and
// Korean take two.
func columns(text string) int { return runewidth.StringWidth(text) }

// cut returns text, shortened to width columns. It keeps the end of a path, and the beginning
// of any other text.
func cut(text string, width int) string {
	if width <= 0 || columns(text) <= width {
		return text
	}
	if strings.HasPrefix(text, "/") && !strings.Contains(text, " ") {
		return runewidth.TruncateLeft(text, columns(text)-width+1, "…")
	}
	return runewidth.Truncate(text, width, "…")
}

// seconds returns a number of seconds as a person reads it.
func seconds(s float64) string {
	switch {
	case s < 0.0995:
		return fmt.Sprintf("%.1f ms", s*1000)
	case s < 9.995:
		return fmt.Sprintf("%.2f s", s)
	case s < 99.95:
		return fmt.Sprintf("%.1f s", s)
	}
	d := time.Duration(math.Round(s)) * time.Second
	h, m := int(d.Hours()), int(d.Minutes())%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%d days %d h", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	default:
		return fmt.Sprintf("%d min %d s", m, int(d.Seconds())%60)
	}
}

// size returns a number of bytes as a person reads it.
func size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"KB", "MB", "GB", "TB"} {
		if v /= 1000; v < 999.5 {
			break
		}
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// moment returns a time in local time, with its date unless the date is today's.
func moment(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	switch {
	case t.IsZero():
		return ""
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format(time.TimeOnly)
	default:
		return t.Format(time.DateTime)
	}
}
