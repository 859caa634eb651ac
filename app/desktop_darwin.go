//go:build !headless

package app

func needDisplay() error { return nil }

func opener(path string) (program string, args []string) { return "open", []string{path} }
