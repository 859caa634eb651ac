package api

import (
	"regexp"
	"strconv"
	"strings"
)

// askedVersion matches a version of Blender that a run, a script or a folder may ask for.
var askedVersion = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9}){0,2}$`)

// IsVersion reports whether a text asks for a version of Blender: "4", "4.5" or "4.5.2".
func IsVersion(text string) bool { return askedVersion.MatchString(text) }

// saidVersion matches the numbers in what a Blender says of its version.
var saidVersion = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?`)

// IsOfVersion reports whether a Blender that says that it is of a version, such as "4.5.3", is meant
// by who asks for a version: by "4", by "4.5" and by "4.5.3". A number that Blender does not say
// is 0.
func IsOfVersion(said, asked string) bool {
	numbers := saidVersion.FindStringSubmatch(said)
	if numbers == nil || !IsVersion(asked) {
		return false
	}
	for i, part := range strings.Split(asked, ".") {
		want, _ := strconv.Atoi(part)       // the patterns admit digits alone, and "" is 0
		is, _ := strconv.Atoi(numbers[i+1]) // as above
		if is != want {
			return false
		}
	}
	return true
}
