// Command notices writes what has to come with a program for the sake of the libraries in it: the
// texts of their licences, and a list of them.
//
// Usage: go run ./packaging/notices -version 1.2.3 -out DIR PROGRAM
//
// It reads in the program itself which modules, of which versions, were linked into it, and takes the
// texts from the modules on this machine, where `go build` has just had them from. The folder then has
//
//	THIRD-PARTY.txt      the texts, for people
//	copyright            the same in Debian's form, whose paths are those of the source archive
//	blendtray.cdx.json   the list, in CycloneDX's form: a software bill of materials
//	licences             the licences of everything in the program, as an SPDX expression
//
// It fails when a library has no licence, or has a licence of which nobody has said that it goes
// together with the GPL, version 3. SOURCE_DATE_EPOCH in the environment is the date of the list.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	version := flag.String("version", "", "the version of the program")
	out := flag.String("out", "", "the folder to write into")
	flag.Parse()
	if flag.NArg() != 1 || *version == "" || *out == "" {
		fmt.Fprintln(os.Stderr, "usage: notices -version VERSION -out DIR PROGRAM")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *version, *out); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// write collects what is in a program, and writes the files into the folder out.
func write(program, version, out string) error {
	parts, err := collect(program, ".")
	if err != nil {
		return err
	}
	list, err := bill(parts, version, date())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"THIRD-PARTY.txt": forPeople(parts), "copyright": forDebian(parts, version),
		"blendtray.cdx.json": list, "licences": expression(parts) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// date returns the time in SOURCE_DATE_EPOCH, or else the time now.
func date() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Now().UTC()
}
