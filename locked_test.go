package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needsLock finds, in the comment of a function, that the function needs a lock of its caller.
var needsLock = regexp.MustCompile(`(?i)\bneeds (\w+\.)?(\w*mu|changing|arranging|turn|sending)\b|\bcaller (must )?holds? `)

// functions calls each for every function of the program, tests excepted.
func functions(t *testing.T, each func(place string, f *ast.FuncDecl)) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "build" || name == "dist"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, src, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				each(files.Position(f.Pos()).String(), f)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFunctionThatNeedsALockSaysSoInItsName(t *testing.T) {
	t.Parallel()
	locked := 0
	functions(t, func(place string, f *ast.FuncDecl) {
		name := f.Name.Name
		says := needsLock.MatchString(strings.Join(strings.Fields(f.Doc.Text()), " "))
		if strings.HasSuffix(name, "Locked") {
			locked++
		} else if says {
			t.Errorf("%s: %s needs a lock, as its comment says: its name ends in Locked", place, name)
		}
	})
	if locked < 50 {
		t.Errorf("only %d functions end in Locked: the test reads the wrong files", locked)
	}
}
