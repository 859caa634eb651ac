package main

import "strings"

// with returns a list of folders, as PATH has it, with a folder at its end. A list that has the folder
// stays as it is.
func with(list, folder string) string {
	for part := range strings.SplitSeq(list, ";") {
		if same(part, folder) {
			return list
		}
	}
	if list == "" || strings.HasSuffix(list, ";") {
		return list + folder
	}
	return list + ";" + folder
}

// without returns a list without a folder. Everything else in the list stays as it is.
func without(list, folder string) string {
	parts := strings.Split(list, ";")
	kept := parts[:0]
	for _, part := range parts {
		if !same(part, folder) {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}

// same tells whether a part of a list is a folder.
func same(part, folder string) bool {
	plain := func(text string) string {
		return strings.TrimRight(strings.ReplaceAll(strings.Trim(strings.TrimSpace(text), `"`), "/", `\`), `\`)
	}
	return strings.EqualFold(plain(part), plain(folder)) && plain(folder) != ""
}
