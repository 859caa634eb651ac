package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// catalogue has the texts of a language by their keys: each a text, or for texts with a number its
// forms.
type catalogue map[string]any

// parse reads a catalogue.
func parse(data []byte) (catalogue, error) {
	var c catalogue
	return c, json.Unmarshal(data, &c)
}

// String returns the catalogue as its file has it: a text a line, sorted.
func (c catalogue) String() string {
	var b bytes.Buffer
	write := json.NewEncoder(&b)
	write.SetEscapeHTML(false)
	write.SetIndent("", "  ")
	if err := write.Encode(map[string]any(c)); err != nil {
		panic(err) // it has nothing but texts
	}
	return b.String()
}

// forms returns the forms of a text, of which a text without a number has "other" alone.
func (c catalogue) forms(key string) map[string]string {
	switch value := c[key].(type) {
	case string:
		return map[string]string{"other": value}
	case map[string]any:
		forms := map[string]string{}
		for name, form := range value {
			forms[name], _ = form.(string)
		}
		return forms
	}
	return nil
}

// formNames are the forms that a language may have.
var formNames = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

// formsIn returns the names of the forms that a language has for whole numbers, sorted.
func formsIn(tag language.Tag) []string {
	all := map[string]bool{}
	for n := range 200 {
		all[formNames[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// reserved are words that go-i18n takes for parts of a text, so that they can't be keys.
var reserved = []string{
	"id", "description", "hash", "leftdelim", "rightdelim", "zero", "one", "two", "few", "many", "other", "translation",
}

// check returns what is wrong with a catalogue, for the texts of the code.
func (c catalogue) check(name string, tag language.Tag, texts map[string]text) []string {
	var faults []string
	fault := func(format string, args ...any) {
		faults = append(faults, name+": "+fmt.Sprintf(format, args...))
	}
	for key := range c {
		if _, used := texts[key]; !used && !slices.Contains(toolkit, key) {
			fault("nothing in the code has the text %q", key)
		}
	}
	for _, t := range (&found{texts: texts}).sorted() {
		if slices.Contains(reserved, strings.ToLower(t.key)) {
			fault("%s: the word %q can't be a key; write lang.X with another key", t.where, t.key)
		}
		forms := c.forms(t.key)
		want := []string{"other"}
		if t.plural {
			want = formsIn(tag)
		}
		if got := slices.Sorted(maps.Keys(forms)); !slices.Equal(got, want) {
			fault("%s: %q has the forms %v, want %v", t.where, t.key, got, want)
			continue
		}
		for form, value := range forms {
			if value == "" {
				fault("%s: %q is not translated (%s)", t.where, t.key, form)
				continue
			}
			for _, field := range fieldsOf(value) {
				if !slices.Contains(t.fields, field) {
					fault("%s: %q uses {{.%s}}, which the code does not give", t.where, value, field)
				}
			}
			if form == "other" && !slices.Equal(fieldsOf(value), fieldsOf(t.english)) {
				fault("%s: %q does not use the fields of %q", t.where, value, t.english)
			}
			if strings.Count(value, "{{") != len(field.FindAllString(value, -1)) {
				fault("%s: %q has more than fields in its braces", t.where, value)
			}
		}
	}
	return faults
}

// toolkit are texts of the window toolkit that a catalogue may have, too, to say them in another way.
var toolkit = []string{"Yes", "No", "OK", "Cancel", "Copy", "Paste", "Cut", "Select all"}

// fill adds the texts of the code that a catalogue lacks and removes those that the code has no more.
// A new text is in English in the catalogue of that language; in another it is what was prepared, or
// empty until somebody translates it. fill returns the keys of the empty texts.
func (c catalogue) fill(tag language.Tag, texts map[string]text, prepared catalogue) (empty []string) {
	for key := range c {
		if _, used := texts[key]; !used && !slices.Contains(toolkit, key) {
			delete(c, key)
		}
	}
	for _, t := range (&found{texts: texts}).sorted() {
		_, there := c[t.key]
		value, known := prepared[t.key]
		switch {
		case there:
		case known:
			c[t.key] = value
		case t.plural:
			forms := map[string]any{}
			for _, form := range formsIn(tag) {
				forms[form] = ""
			}
			if tag == language.English {
				forms["other"] = t.english
			}
			c[t.key] = forms
		case tag == language.English:
			c[t.key] = t.english
		default:
			c[t.key] = ""
		}
		if slices.Contains(slices.Collect(maps.Values(c.forms(t.key))), "") {
			empty = append(empty, t.key)
		}
	}
	return empty
}
