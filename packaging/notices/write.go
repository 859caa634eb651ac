package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

const ours = "GPL-3.0-or-later"

// name returns what a person calls a part.
func (p part) name() string {
	if p.Path == "std" {
		return "Go's library and runtime"
	}
	return p.Path
}

// expression returns the licences of the program and everything in it, as an SPDX expression.
func expression(parts []part) string {
	var all []string
	for _, p := range parts {
		all = append(all, p.licences()...)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(id string) bool { return id == ours })
	return strings.Join(append([]string{ours}, all...), " AND ")
}

// forPeople returns the texts of all parts. A text that several parts have in common is there once.
func forPeople(parts []part) string {
	type common struct {
		of   []string
		text string
	}
	var all []common
	at := map[string]int{}
	for _, p := range parts {
		for _, t := range p.Texts {
			i, known := at[t.Text]
			if !known {
				i = len(all)
				at[t.Text] = i
				all = append(all, common{text: t.Text})
			}
			all[i].of = append(all[i].of, fmt.Sprintf("%s %s (%s)", p.name(), p.Version, t.Name))
		}
	}
	var b strings.Builder
	b.WriteString("Blendtray is under the GNU General Public License, version 3 or later. These libraries are in it:\n\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "  %s %s: %s\n", p.name(), p.Version, strings.Join(p.licences(), ", "))
	}
	for _, c := range all {
		rule := strings.Repeat("-", 80)
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", rule, strings.Join(c.of, "\n"), rule, c.text)
	}
	return b.String()
}

//go:embed copyright.head
var head string

// forDebian returns the texts in the form of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
func forDebian(parts []part, version string) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(head, "@VERSION@", version))
	for _, p := range parts {
		license := strings.Join(p.licences(), " and ")
		if p.Path == "std" {
			// Go is not in the source archive, so these are the terms without files.
			fmt.Fprintf(&b, "\nLicense: %s-go\n%s", license, paragraphs(p.Texts))
			continue
		}
		fmt.Fprintf(&b, "\nFiles: vendor/%s/*\nCopyright: %s\nLicense: %s\n%s",
			p.Path, strings.Join(holders(p.Texts), "\n  "), license, paragraphs(p.Texts))
	}
	return b.String()
}

// paragraphs returns texts in the form of a field of several lines.
func paragraphs(texts []text) string {
	var b strings.Builder
	for i, t := range texts {
		if i > 0 {
			b.WriteString(" .\n")
		}
		fmt.Fprintf(&b, " %s:\n .\n", t.Name)
		// Debian has this text once, and wants no other copies. THIRD-PARTY.txt has it, too.
		if m := apache.FindStringIndex(t.Text); m != nil {
			t.Text = t.Text[:m[0]] + "Apache License, Version 2.0. On Debian systems the text is in\n/usr/share/common-licenses/Apache-2.0, and here it is in THIRD-PARTY.txt.\n" + t.Text[m[1]:]
		}
		for line := range strings.Lines(t.Text + "\n") {
			line = strings.TrimRight(line, "\r\n\t\f ")
			if line == "" {
				line = "."
			}
			b.WriteString(" " + line + "\n")
		}
	}
	return b.String()
}

// apache matches the terms of the Apache licence.
var apache = regexp.MustCompile(`(?s)Apache License\s+Version 2\.0, January 2004.*END OF TERMS AND CONDITIONS`)

var holderLine = regexp.MustCompile(`(?im)^[\s*#/]*((?:copyright\s|©|\(c\)).*?)\s*$`)

// holders returns the lines that say who has the copyright.
func holders(texts []text) (all []string) {
	for _, t := range texts {
		for _, m := range holderLine.FindAllStringSubmatch(t.Text, -1) {
			// Clauses about the copyright are no holders, and neither is the form at the end of a licence.
			if strings.ContainsAny(m[1], "[{") || !strings.ContainsAny(m[1], "0123456789©") && !strings.HasPrefix(m[1], "Copyright (c)") {
				continue
			}
			if !slices.Contains(all, m[1]) {
				all = append(all, m[1])
			}
		}
	}
	if len(all) == 0 {
		all = []string{"its authors"}
	}
	return all
}

// bill returns the list of all parts as CycloneDX has it, in JSON. The same parts give the same text.
func bill(parts []part, version string, date time.Time) (string, error) {
	list := cdx.NewBOM()
	authors := "The Blendtray authors"
	// Who reads such lists asks who made the list, from what, and whose program it is.
	list.Metadata = &cdx.Metadata{
		Timestamp: date.Format(time.RFC3339), Authors: &[]cdx.OrganizationalContact{{Name: authors}},
		Supplier: &cdx.OrganizationalEntity{Name: authors}, Lifecycles: &[]cdx.Lifecycle{{Phase: cdx.LifecyclePhasePostBuild}},
		Component: &cdx.Component{
			BOMRef: "pkg:generic/blendtray@" + version, Type: cdx.ComponentTypeApplication, Name: "blendtray", Version: version,
			PackageURL: "pkg:generic/blendtray@" + version, Licenses: licenceChoices([]string{ours}),
		},
	}
	components := []cdx.Component{}
	needs := []string{}
	for _, p := range parts {
		address := "pkg:golang/" + p.Path + "@" + p.Version
		c := cdx.Component{
			BOMRef: address, Type: cdx.ComponentTypeLibrary, Name: p.Path, Version: p.Version, PackageURL: address,
			Licenses: licenceChoices(p.licences()), Scope: cdx.ScopeRequired,
		}
		if sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Sum, "h1:")); err == nil && len(sum) > 0 {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		}
		components = append(components, c)
		needs = append(needs, address)
	}
	list.Components = &components
	list.Dependencies = &[]cdx.Dependency{{Ref: list.Metadata.Component.BOMRef, Dependencies: &needs}}
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetPretty(true).Encode(list)
	return b.String(), err
}

func licenceChoices(ids []string) *cdx.Licenses {
	all := cdx.Licenses{}
	for _, id := range ids {
		all = append(all, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &all
}
