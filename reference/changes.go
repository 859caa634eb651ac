package reference

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"blendtray/api"
)

// change is a name that a version of Blender has taken away, and what took its place.
type change struct {
	// old are the names, as paths that begin with a class or a module, or values in quotation marks.
	old []string
	// use is what to write instead, and paths the entries about it.
	use   string
	paths []string
	// since is the version that has the change. from is the first version that has the old names, and
	// until the version that has changed them once more; "" where there is none.
	since, from, until string
	// discouraged: the old names are there for a while, and should not be used any more.
	discouraged bool
	note        string
}

// releaseOf returns the first two numbers of a version.
func releaseOf(version string) (major, minor int) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, _ = strconv.Atoi(first) // what is no number is 0: the oldest
	digits := strings.IndexFunc(second, func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		second = second[:digits]
	}
	minor, _ = strconv.Atoi(second)
	if major == 2 && minor < 10 {
		minor *= 10 // 2.8 is 2.80
	}
	return major, minor
}

// before reports whether a version is older than another.
func before(version, other string) bool {
	a, b := releaseOf(version)
	c, d := releaseOf(other)
	return a < c || a == c && b < d
}

// appliesTo reports whether a version has the change, and no later change of the same names.
func (c *change) appliesTo(version string) bool {
	return !before(version, c.since) && (c.until == "" || before(version, c.until))
}

// isAheadOf reports whether a version has the old names, and the change is still to come.
func (c *change) isAheadOf(version string) bool {
	return before(version, c.since) && (c.from == "" || !before(version, c.from))
}

// replaced returns what took the place of a path, as far as it was resolved.
func (b *book) replaced(path string, found resolved) (all []api.Replacement) {
	asked := b.namesOf(path, found)
	return b.changesFor(func(old string) bool { return asked.means(b, old) })
}

// replacedIn returns what took the place of the names among words.
func (b *book) replacedIn(words string) []api.Replacement {
	text := " " + strings.Join(strings.FieldsFunc(lower(words), func(r rune) bool {
		return !(r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z')
	}), " ") + " "
	return b.changesFor(func(old string) bool { return saysName(text, lower(old)) })
}

// saysName reports whether a text of words, with spaces around each, has an old name: as a whole, or its
// last part, which must be no word of English alone.
func saysName(text, old string) bool {
	parts := links(strings.Trim(old, `"`))
	if len(parts) == 0 {
		return false
	}
	if strings.Contains(text, " "+strings.Trim(old, `"`)+" ") {
		return true
	}
	last := parts[len(parts)-1]
	if !strings.Contains(text, " "+last.name+" ") {
		return false
	}
	owner := stem(parts[0].name)
	switch {
	case last.key:
		return strings.Contains(text, "principled") || strings.Contains(text, "bsdf") || strings.Contains(text, "input")
	case strings.Contains(last.name, "_") || len(parts) == 1:
		return true
	}
	return strings.Contains(text, owner)
}

// maxReplaced is how many changes an answer has at most.
const maxReplaced = 8

// changesFor returns the changes, for the version of the book, of the names that asked says were asked for.
func (b *book) changesFor(asked func(name string) bool) (all []api.Replacement) {
	for i := range changes {
		c := &changes[i]
		switch {
		case len(all) == maxReplaced:
			return all
		case c.appliesTo(b.version):
			at := slices.IndexFunc(c.old, func(old string) bool { return asked(old) && (c.discouraged || !b.has(old)) })
			if at >= 0 {
				all = append(all, api.Replacement{Old: c.old[at], New: c.use, Since: c.since, Note: c.note, Paths: b.existing(c.paths)})
			}
		case c.isAheadOf(b.version):
			at := slices.IndexFunc(c.paths, func(path string) bool { return asked(path) && !b.has(path) })
			if at >= 0 {
				all = append(all, api.Replacement{
					Old: c.paths[at], New: strings.Join(c.old, ", "), Since: c.since,
					Note: "Blender " + c.since + " brings " + c.paths[at] + "; this is Blender " + b.version, Paths: b.existing(c.old),
				})
			}
		}
	}
	return all
}

// has reports whether the book has a name of a change.
func (b *book) has(name string) bool { return len(b.existing([]string{name})) > 0 }

// existing returns the paths of the entries that names of changes have in the book.
func (b *book) existing(names []string) []string {
	paths := []string{}
	for _, name := range names {
		if strings.HasPrefix(name, `"`) {
			continue // a value has no entry
		}
		if e, ok := b.find(name); ok {
			paths = append(paths, e.path)
		} else if e, ok := b.find(types + name); ok {
			paths = append(paths, e.path)
		} else if found := b.resolve(name); len(found.entries) > 0 && !strings.Contains(name, "[") {
			paths = append(paths, found.entries[0].path)
		}
	}
	return paths
}

// names are the forms in which a path may stand among the changes.
type names struct {
	whole   []string // the path as it was asked, and with the classes of its values
	owner   string   // the class in which the last name was looked for, or ""
	last    string   // the last name
	unknown bool     // where the path begins is not known
	tails   []string // each key of the path with the name before the key
	quoted  string   // a text in quotation marks behind an assignment, in quotation marks
}

func (b *book) namesOf(path string, found resolved) names {
	all := links(path)
	n := names{owner: found.owner}
	literal := strings.TrimPrefix(join(all), types)
	n.whole = append(n.whole, literal, found.canonical)
	if len(all) > 0 {
		n.last = all[len(all)-1].name
		n.unknown = found.owner == "" && found.missing != "" && len(found.entries) == 0
		for i, l := range all {
			if l.key && i > 0 {
				n.tails = append(n.tails, "."+join(all[i-1:i+1]))
			}
		}
	}
	_, value, assigned := strings.Cut(path, "=")
	if value = strings.TrimSpace(value); !assigned {
		value = strings.TrimSpace(path)
	}
	n.quoted = `"` + strings.Trim(value, ` '"`) + `"`
	return n
}

// means reports whether an old name is what was asked for.
func (n *names) means(b *book, old string) bool {
	if strings.HasPrefix(old, `"`) {
		return old == n.quoted
	}
	for _, whole := range n.whole {
		// What is below a module that is gone is gone with it.
		if whole == old || strings.HasPrefix(whole, old+".") && !strings.HasPrefix(old, "bpy.types") {
			return true
		}
	}
	if slices.ContainsFunc(n.tails, func(tail string) bool { return strings.HasSuffix(old, tail) }) {
		return true
	}
	dot := strings.LastIndexByte(old, '.')
	if dot < 0 || strings.Contains(old, "[") {
		return n.unknown && n.last == old
	}
	owner, name := old[:dot], old[dot+1:]
	if name != n.last {
		return false
	}
	if n.unknown {
		return true
	}
	// The path may name a class above or below the one of the change.
	return n.owner != "" && (slices.Contains(b.bases(n.owner), owner) || slices.Contains(b.bases(owner), n.owner)) &&
		!strings.Contains(cmp.Or(owner, "."), ".")
}
