//go:build !headless

package app

// needDisplay fails when the tray can show no window.
func needDisplay() error {
	return displayFor("the tray needs a display", "`blendtray serve` needs none, and `blendtray --help` lists what else there is")
}

func opener(path string) (program string, args []string) { return "xdg-open", []string{path} }
