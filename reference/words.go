package reference

import (
	"cmp"
	"slices"
	"strings"
)

// unasked are words that say nothing about what is looked for.
var unasked = map[string]bool{
	"a": true, "an": true, "and": true, "the": true, "of": true, "to": true, "in": true, "on": true, "for": true, "with": true,
	"how": true, "do": true, "does": true, "i": true, "is": true, "what": true, "by": true, "from": true, "python": true,
	"blender": true, "bpy": true, "api": true, "my": true, "can": true, "it": true, "into": true, "all": true, "or": true,
}

// Points for where a word stands, from which follows what is found first.
const (
	isName       = 40 // it is the last name of the path
	isPartOfName = 14 // it is a part between underscores of the last name
	inName       = 7  // it is anywhere in the last name
	inPath       = 4  // it is before the last name
	inSummary    = 4  // it is in the first sentence of the doc
	inRest       = 1  // it is in the rest
	// kindBonus is for what scripts call, and ownBonus for what they mostly work with.
	kindBonus = 2
)

// terms returns the words to look for, in lower case and without the endings of English.
func terms(words string) (all []string) {
	for word := range strings.FieldsFuncSeq(lower(words), func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127)
	}) {
		if unasked[word] || slices.Contains(all, word) {
			continue
		}
		all = append(all, stem(word))
	}
	return all
}

// stem returns a word without an ending, so that "smoothing" finds "shade_smooth".
func stem(word string) string {
	if strings.Contains(word, "_") {
		return word
	}
	for _, ending := range []string{"ing", "ies", "es", "ed", "s"} {
		if short, ok := strings.CutSuffix(word, ending); ok && len(short) >= 4 {
			return short
		}
	}
	return word
}

// hit is a line with the words that were looked for.
type hit struct{ line, points, length int }

// search returns the entries with the words, the best first, and how many there are. Where no entry has
// all words, entries with most of them are found.
func (b *book) search(words string, most int) (found []entry, total int) {
	asked := terms(words)
	if len(asked) == 0 {
		return nil, 0
	}
	text := b.lowered()
	counts := make([]uint8, len(b.starts)) // how many of the words each line has
	best := uint8(0)
	for _, term := range asked[:min(maxTerms, len(asked))] {
		b.eachWith(text, term, func(i int) {
			counts[i]++
			best = max(best, counts[i])
		})
	}
	if best == 0 {
		return nil, 0
	}
	var all []hit
	for i, count := range counts {
		if count == best {
			all = append(all, hit{line: i, length: len(b.path(i))})
		}
	}
	for i := range all {
		for _, term := range asked {
			all[i].points += b.points(text, all[i].line, term)
		}
	}
	slices.SortFunc(all, func(x, y hit) int {
		return cmp.Or(y.points-x.points, x.length-y.length, x.line-y.line)
	})
	for _, h := range all[:min(most, len(all))] {
		found = append(found, b.entry(h.line))
	}
	return found, len(all)
}

// maxTerms bounds how many words are looked for.
const maxTerms = 16

// eachWith calls do with each line that has a term.
func (b *book) eachWith(text, term string, do func(line int)) {
	line := 0
	for at := 0; ; {
		next := strings.Index(text[at:], term)
		if next < 0 {
			return
		}
		at += next
		step, _ := slices.BinarySearch(b.starts[line:], int32(at+1))
		line += step - 1
		do(line)
		line++
		if line >= len(b.starts) {
			return
		}
		at = int(b.starts[line])
	}
}

// points returns how well a line fits a term, 0 where the line does not have it.
func (b *book) points(text string, i int, term string) int {
	path, rest, _ := strings.Cut(b.line(text, i), "\t")
	kind, rest, _ := strings.Cut(rest, "\t")
	bonus := 0
	switch kind {
	case "operator", "method", "function", "class":
		bonus = kindBonus
	case "property":
		bonus = 1
	}
	owner, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 && !strings.Contains(path, "[") {
		owner, name = path[:dot], path[dot+1:]
	}
	switch {
	case stem(name) == term || name == term:
		return isName + bonus
	case hasPart(name, term):
		return isPartOfName + bonus
	case strings.Contains(name, term):
		return inName + bonus
	case strings.Contains(owner, term):
		return inPath + bonus
	}
	at := strings.Index(rest, term)
	if at < 0 {
		return 0
	}
	doc := strings.LastIndexByte(rest, '\t') + 1
	end := strings.Index(rest[doc:], `\n`)
	if end < 0 {
		end = len(rest) - doc
	}
	if at < doc || strings.Contains(rest[doc:doc+end], term) {
		return inSummary + bonus
	}
	return inRest + bonus
}

// hasPart reports whether a term is a part between underscores of a name.
func hasPart(name, term string) bool {
	for part := range strings.SplitSeq(name, "_") {
		if stem(part) == term {
			return true
		}
	}
	return false
}
