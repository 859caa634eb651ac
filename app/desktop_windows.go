//go:build !headless

package app

func needDisplay() error { return nil }

func opener(path string) (program string, args []string) {
	return "rundll32.exe", []string{"url.dll,FileProtocolHandler", path}
}
