// Command collect brings the catalogues of the window and the tray up to date with the code: go
// generate ./tray runs it. Texts that the code has no more leave the catalogues. New texts come in with
// an empty translation, which the test of this package reports until somebody translates them. What is
// in prepared.json, translations of texts that the code does not have yet, is used for them.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"blendtray/tray/translations"
)

func main() {
	root := "."
	if _, err := os.Stat("go.mod"); err != nil {
		root = ".." // go generate runs in the folder of the package
	}
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, "collect:", err)
		os.Exit(1)
	}
}

// run brings the catalogues up to date in a checkout, and says what is left for a person to do.
func run(root string) error {
	got, err := collect(os.DirFS(root), later)
	if err != nil {
		return err
	}
	for _, fault := range got.faults {
		fmt.Println(fault)
	}
	prepared, err := read(filepath.Join(root, preparedFile))
	if err != nil {
		return err
	}
	for _, l := range translations.Languages {
		file := filepath.Join(root, "tray/translations", l.Name+".json")
		c, err := read(file)
		if err != nil {
			return err
		}
		for _, key := range c.fill(l.Tag, got.texts, of(prepared, l.Name)) {
			fmt.Printf("%s: %q is not translated\n", file, key)
		}
		if err := os.WriteFile(file, []byte(c.String()), 0o644); err != nil {
			return err
		}
	}
	for key := range prepared {
		if _, used := got.texts[key]; used {
			delete(prepared, key)
		}
	}
	return os.WriteFile(filepath.Join(root, preparedFile), []byte(prepared.String()), 0o644)
}

// preparedFile has translations of texts that the code does not have yet, by their keys and then by
// language.
const preparedFile = "tray/translations/collect/prepared.json"

func read(file string) (catalogue, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// of returns what was prepared for a language.
func of(prepared catalogue, language string) catalogue {
	c := catalogue{}
	for key, value := range prepared {
		if all, is := value.(map[string]any); is && all[language] != nil {
			c[key] = all[language]
		}
	}
	return c
}
