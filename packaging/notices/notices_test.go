package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// ofThisTest returns what is in the program of this test.
func ofThisTest(t *testing.T) []part {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parts, err := collect(program, ".")
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestTheLicencesOfEverythingInAProgramAreFound(t *testing.T) {
	t.Parallel()
	parts := ofThisTest(t)
	people, debian := forPeople(parts), forDebian(parts, "1.2.3")
	for path, id := range map[string]string{
		"std": "BSD-3-Clause", "github.com/google/licensecheck": "BSD-3-Clause", "github.com/CycloneDX/cyclonedx-go": "Apache-2.0",
	} {
		i := slices.IndexFunc(parts, func(p part) bool { return p.Path == path })
		if i < 0 || !slices.Contains(parts[i].licences(), id) || parts[i].Version == "" {
			t.Fatalf("%s is not there under %s: %+v", path, id, parts)
		}
		for _, found := range parts[i].Texts {
			if !strings.Contains(people, found.Text) {
				t.Errorf("people are not shown %s of %s", found.Name, path)
			}
		}
		if first, _, _ := strings.Cut(parts[i].Texts[0].Text, "\n"); !strings.Contains(debian, " "+strings.TrimSpace(first)) {
			t.Errorf("Debian's file does not have the text of %s", path)
		}
	}
	if strings.Contains(debian, "END OF TERMS AND CONDITIONS") || !strings.Contains(debian, "/usr/share/common-licenses/Apache-2.0") {
		t.Error("Debian's file has the text of the Apache licence, of which Debian wants no copies")
	}
	if want := "\nFiles: vendor/github.com/google/licensecheck/*\nCopyright: Copyright (c) 2019 The Go Authors"; !strings.Contains(debian, want) {
		t.Errorf("Debian's file does not say who has the copyright:\n%.3000s", debian)
	}
	if !strings.Contains(debian, "blendtray-1.2.3-source.tar.gz") {
		t.Error("Debian's file does not name the source archive")
	}
	for line := range strings.Lines(debian) {
		if strings.TrimSpace(line) == "" && line != "\n" || strings.ContainsAny(line, "\r\f") {
			t.Errorf("Debian's file has the line %q in it", line)
		}
	}
	if got, want := expression(parts), "GPL-3.0-or-later AND Apache-2.0 AND BSD-3-Clause"; got != want {
		t.Errorf("the licences are %s, want %s", got, want)
	}
}

func TestTheBillOfMaterialsCanBeRead(t *testing.T) {
	t.Parallel()
	parts := ofThisTest(t)
	text, err := bill(parts, "1.2.3", time.Unix(1, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := bill(parts, "1.2.3", time.Unix(1, 0).UTC()); err != nil || again != text {
		t.Errorf("the same parts give another list: %v", err)
	}
	var list cdx.BOM
	if err := cdx.NewBOMDecoder(strings.NewReader(text), cdx.BOMFileFormatJSON).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(*list.Components) != len(parts) || list.Metadata.Component.Version != "1.2.3" || list.Metadata.Timestamp != "1970-01-01T00:00:01Z" {
		t.Errorf("it reads\n%s", text)
	}
	refs := map[string]bool{list.Metadata.Component.BOMRef: true}
	for _, c := range *list.Components {
		if refs[c.BOMRef] {
			t.Errorf("%s is there twice", c.BOMRef)
		}
		refs[c.BOMRef] = true
		if c.Name != "std" && (c.Hashes == nil || len((*c.Hashes)[0].Value) != 64) {
			t.Errorf("%s has no hash", c.Name)
		}
		if len(*c.Licenses) == 0 {
			t.Errorf("%s has no licence", c.Name)
		}
	}
	for _, d := range *list.Dependencies {
		for _, ref := range append(*d.Dependencies, d.Ref) {
			if !refs[ref] {
				t.Errorf("%s is needed, and is not there", ref)
			}
		}
	}
	if m := list.Metadata; m.Supplier == nil || m.Supplier.Name == "" || m.Authors == nil || len(*m.Authors) == 0 {
		t.Errorf("it does not say who made it: %+v", m)
	}
}

func TestAPartWithoutAKnownLicenceIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() part {
		t.Helper()
		texts, err := module{dir: dir, folders: []string{filepath.Join(dir, "sub")}}.texts()
		if err != nil {
			t.Fatal(err)
		}
		return part{Path: "example.org/x", Texts: texts}
	}
	write("sub/x.go", "package sub")
	if err := read().check(); err == nil {
		t.Error("a module without a licence is taken")
	}
	write("LICENSE.txt", "Everybody may look at this.")
	if err := read().check(); err == nil {
		t.Error("a module with terms of its own is taken")
	}
	mit, err := os.ReadFile("testdata/MIT.txt")
	if err != nil {
		t.Fatal(err)
	}
	write("LICENSE.txt", string(mit))
	write("other/LICENSE", "of a package that is not in the program")
	write("other/x.go", "package other")
	write("sub/font/OFL.txt", "a font's")
	got := read()
	var names []string
	for _, x := range got.Texts {
		names = append(names, x.Name)
	}
	if err := got.check(); err != nil || !slices.Equal(names, []string{"LICENSE.txt", "sub/font/OFL.txt"}) {
		t.Errorf("found are %v: %v", names, err)
	}
}
