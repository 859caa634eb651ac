package reference

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"

	"blendtray/api"
)

// mark begins the first line of a text, as in reference.py.
const mark = "blendtray-reference 1\t"

// maxText bounds a text, in bytes: a build has 4 to 6 MB.
const maxText = 64 << 20

// book is the API of one build: a text with an entry on each line, in the order of their paths.
type book struct {
	version string
	text    string
	starts  []int32 // where the lines begin

	lowered func() string // the text in lower case, made when it is first needed
	heirs   func() map[string][]string
}

// readBook reads a text that Blender has written. It fails when the file is not there or is none.
func readBook(file string) (*book, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var text bytes.Buffer
	text.Grow(6 << 20)
	switch n, err := io.Copy(&text, io.LimitReader(z, maxText+1)); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case n > maxText:
		return nil, fmt.Errorf("%s has more than %d MiB", file, maxText>>20)
	}
	b, err := newBook(text.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// newBook returns the book of a text. It fails when the text does not begin as one.
func newBook(text string) (*book, error) {
	head, rest, _ := strings.Cut(text, "\n")
	fields, ok := strings.CutPrefix(head, mark)
	if !ok || rest == "" {
		return nil, errors.New("this is no text of Blender's API")
	}
	b := &book{text: rest}
	b.version, _, _ = strings.Cut(fields, "\t")
	b.starts = make([]int32, 0, strings.Count(rest, "\n"))
	for at := 0; at < len(rest); {
		b.starts = append(b.starts, int32(at))
		end := strings.IndexByte(rest[at:], '\n')
		if end < 0 {
			break
		}
		at += end + 1
	}
	b.lowered = sync.OnceValue(func() string { return lower(rest) })
	b.heirs = sync.OnceValue(b.findHeirs)
	return b, nil
}

// lower returns a text with the letters A to Z in lower case, and as many bytes.
func lower(s string) string {
	out := []byte(s)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

// line returns the line i of a text, which is that of the book or the same in lower case.
func (b *book) line(text string, i int) string {
	end := len(text)
	if i+1 < len(b.starts) {
		end = int(b.starts[i+1])
	}
	return strings.TrimSuffix(text[b.starts[i]:end], "\n")
}

func (b *book) path(i int) string {
	path, _, _ := strings.Cut(b.line(b.text, i), "\t")
	return path
}

// from returns the first line whose path is not before a path.
func (b *book) from(path string) int {
	return sort.Search(len(b.starts), func(i int) bool { return b.path(i) >= path })
}

// entry is an entry of the book.
type entry struct {
	path, kind, text string
	of               string // the class of the value, or of the items of a collection
	itself           string // the class of a collection
	doc              string // escaped
}

func (b *book) entry(i int) entry {
	f := strings.SplitN(b.line(b.text, i), "\t", 6)
	for len(f) < 6 {
		f = append(f, "")
	}
	return entry{unescape(f[0]), f[1], unescape(f[2]), f[3], f[4], f[5]}
}

var unescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n")

func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return unescaper.Replace(s)
}

// find returns the entry of a path.
func (b *book) find(path string) (entry, bool) {
	i := b.from(path)
	if i == len(b.starts) || b.path(i) != path {
		return entry{}, false
	}
	return b.entry(i), true
}

// types begins the paths of the classes of Blender's data.
const types = "bpy.types."

// bases returns a class with those that it inherits from, the nearest first.
func (b *book) bases(class string) (all []string) {
	for class != "" && !slices.Contains(all, class) {
		e, ok := b.find(types + class)
		if !ok {
			return all
		}
		all = append(all, class)
		class = e.text
	}
	return all
}

// findHeirs returns the classes that inherit from each class, directly.
func (b *book) findHeirs() map[string][]string {
	heirs := map[string][]string{}
	for i := b.from(types); i < len(b.starts) && strings.HasPrefix(b.path(i), types); i++ {
		path, rest, _ := strings.Cut(b.line(b.text, i), "\t")
		if base, ok := strings.CutPrefix(rest, "class\t"); ok {
			base, _, _ = strings.Cut(base, "\t")
			heirs[base] = append(heirs[base], strings.TrimPrefix(path, types))
		}
	}
	return heirs
}

// membersOf returns the entries right below a path.
func (b *book) membersOf(path string) (all []entry) {
	for i := b.from(path + "."); i < len(b.starts) && strings.HasPrefix(b.path(i), path+"."); i++ {
		if rest := b.path(i)[len(path)+1:]; isOneName(rest) {
			all = append(all, b.entry(i))
		}
	}
	return all
}

// isOneName reports whether the rest of a path is one name, with a key in brackets or without.
func isOneName(rest string) bool {
	name, _, _ := strings.Cut(rest, "[")
	return !strings.Contains(name, ".")
}

// answer returns what the book says to a query.
func (b *book) answer(q api.ReferenceQuery) api.Reference {
	most := q.Max
	if most == 0 {
		most = api.ReferenceEntries
	}
	out := api.Reference{Version: b.version, Entries: []api.ReferenceEntry{}, Replaced: []api.Replacement{}, Similar: []string{}}
	if q.Words != "" {
		found, total := b.search(q.Words, most)
		for _, e := range found {
			out.Entries = append(out.Entries, brief(e))
		}
		out.Total = total
		out.Replaced = append(out.Replaced, b.replacedIn(q.Words)...)
		return out
	}
	found := b.resolve(q.Path)
	for _, e := range found.entries[:min(most, len(found.entries))] {
		out.Entries = append(out.Entries, b.whole(e, most))
	}
	out.Total = len(found.entries)
	out.Replaced = append(out.Replaced, b.replaced(q.Path, found)...)
	if len(found.entries) == 0 {
		out.Similar = append(out.Similar, b.similar(found, most)...)
	}
	return out
}

// brief returns an entry with the first sentence of its doc.
func brief(e entry) api.ReferenceEntry {
	return api.ReferenceEntry{Path: e.path, Kind: e.kind, Type: e.text, Class: e.of, Doc: sentence(unescape(e.doc))}
}

// maxSentence is how many bytes a sentence may have.
const maxSentence = 200

func sentence(doc string) string {
	doc, _, _ = strings.Cut(doc, "\n")
	if at := strings.Index(doc, ". "); at > 0 {
		doc = doc[:at+1]
	}
	if len(doc) > maxSentence {
		doc = strings.ToValidUTF8(doc[:maxSentence], "") + "…"
	}
	return doc
}

// whole returns an entry with all that the book has about it, and most members at most.
func (b *book) whole(e entry, most int) api.ReferenceEntry {
	out := brief(e)
	out.Doc = unescape(e.doc)
	switch e.kind {
	case "class", "module":
		out.Members, out.MoreMembers = briefly(b.membersOf(e.path), most)
		if bases := b.bases(strings.TrimPrefix(e.path, types)); len(bases) > 1 {
			out.Inherits = bases[1:]
		}
	case "property":
		if e.itself != "" {
			out.Members, out.MoreMembers = briefly(b.membersOf(types+e.itself), most)
		}
	}
	return out
}

func briefly(all []entry, most int) (members []api.ReferenceEntry, more int) {
	for _, e := range all[:min(most, len(all))] {
		members = append(members, brief(e))
	}
	return members, len(all) - len(members)
}
