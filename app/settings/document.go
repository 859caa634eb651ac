package settings

import (
	"fmt"
	"strings"

	"blendtray/api"
)

// Document returns the rows of a table for docs/settings.md, in Markdown. A test holds the
// document against it, and writes it anew with the flag -update.
func Document(table string) string {
	var b strings.Builder
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, d := range Declarations(table) {
		later := ""
		if d.Holds == api.HoldsFromBlenderStart {
			later = ` \*`
		}
		standard := ""
		if d.Key() != tableFolder+"."+keyPath { // which has to be there
			literal, err := d.literal(d.Default())
			if err != nil {
				panic(fmt.Sprintf("the default of %s can't be written: %v", d.Key(), err)) // any test shows it
			}
			standard = "`" + string(literal) + "`"
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", d.Name, later, standard, d.Help)
	}
	return b.String()
}
