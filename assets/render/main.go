// Command render draws the icons. It makes SVG sources from the shapes below, and from the
// sources the PNG and ICO files that the program embeds. It needs rsvg-convert (Debian:
// librsvg2-bin).
//
// Usage: go run ./assets/render (from the module's root)
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Each state has a colour of medium lightness, which stands out on light and on dark panels. The
// shape above the tray shows the state without the colour.
const (
	grey  = "#8b93a1"
	blue  = "#4a90e2"
	green = "#22a878"
	amber = "#e39a1f"
	red   = "#e5484d"
)

// tray is the lower part of the mark: what is saved falls into it.
const tray = `<path d="M8 36v10a9 9 0 0 0 9 9h30a9 9 0 0 0 9-9V36" fill="none" stroke="C" stroke-width="8" stroke-linecap="round"/>`

// What falls into the tray.
const (
	play     = `<path d="M19 9h26L32 33z" fill="C" stroke="C" stroke-width="6" stroke-linejoin="round"/>`
	hollow   = `<path d="M19 9h26L32 31z" fill="none" stroke="C" stroke-width="6" stroke-linejoin="round"/>`
	square   = `<rect x="21" y="9" width="22" height="22" rx="3" fill="C"/>`
	cross    = `<path d="M21 9l22 22M43 9L21 31" stroke="C" stroke-width="8.5" stroke-linecap="round"/>`
	exclaim  = `<path d="M32 7v15" stroke="C" stroke-width="9" stroke-linecap="round"/><circle cx="32" cy="37" r="5.2" fill="C"/>`
	ringMark = `<path d="M22 22h20L32 42z" fill="C" stroke="C" stroke-width="5" stroke-linejoin="round"/>`
)

const steps = 12

// drawings returns the content of each icon, by name.
func drawings() map[string]string {
	all := map[string]string{
		"stopped": color(square+tray, grey), "starting": color(hollow+tray, blue), "ready": color(play+tray, green),
		"failed": color(cross+tray, red), "attention": color(exclaim+tray, amber),
	}
	track := `<circle cx="32" cy="32" r="27" fill="none" stroke="` + grey + `" stroke-opacity="0.45" stroke-width="7"/>`
	for step := range steps + 1 {
		all[fmt.Sprintf("running-%02d", step)] = track + color(arc(float64(step)/steps)+ringMark, blue)
	}
	all["running-unknown"] = track + color(`<path d="M32 5a27 27 0 0 1 27 27M32 59A27 27 0 0 1 5 32" fill="none" stroke="C" stroke-width="7"/>`+ringMark, blue)
	return all
}

// app is the icon of the program itself, with a background.
const app = `<defs><linearGradient id="g" x2="0" y2="1"><stop stop-color="#2b3550"/><stop offset="1" stop-color="#151b2b"/></linearGradient></defs>` +
	`<rect x="2" y="2" width="60" height="60" rx="14" fill="url(#g)"/>` +
	`<g transform="translate(32 32) scale(.72) translate(-32 -31)">` +
	`<path d="M19 9h26L32 33z" fill="#ffb238" stroke="#ffb238" stroke-width="6" stroke-linejoin="round"/>` +
	`<path d="M8 36v10a9 9 0 0 0 9 9h30a9 9 0 0 0 9-9V36" fill="none" stroke="#f4f6fb" stroke-width="8" stroke-linecap="round"/></g>`

func color(shape, c string) string { return strings.ReplaceAll(shape, `"C"`, `"`+c+`"`) }

// arc returns the done part of the ring, clockwise from the top.
func arc(done float64) string {
	if done <= 0 {
		return ""
	}
	if done >= 1 {
		return `<circle cx="32" cy="32" r="27" fill="none" stroke="C" stroke-width="7"/>`
	}
	angle := 2 * math.Pi * done
	large := 0
	if done > 0.5 {
		large = 1
	}
	return fmt.Sprintf(`<path d="M32 5A27 27 0 %d 1 %.3f %.3f" fill="none" stroke="C" stroke-width="7"/>`,
		large, 32+27*math.Sin(angle), 32-27*math.Cos(angle))
}

func svg(content string) []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">` + content + "</svg>\n")
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func run() error {
	for _, dir := range []string{"svg", "png", "ico", "template"} {
		if err := os.MkdirAll(filepath.Join("assets", dir), 0o755); err != nil {
			return err
		}
	}
	for name, content := range drawings() {
		if err := icon(name, svg(content), 64, 16, 24, 32, 48); err != nil {
			return err
		}
		// macOS colours the template itself, by its opacity.
		black := content
		for _, c := range []string{grey, blue, green, amber, red} {
			black = strings.ReplaceAll(black, c, "#000")
		}
		if err := write("template", name+".png", svg(black), 44); err != nil {
			return err
		}
	}
	return icon("app", svg(app), 512, 16, 32, 48, 256)
}

// icon writes the SVG, PNG and ICO files of an icon.
func icon(name string, source []byte, size int, sizes ...int) error {
	if err := os.WriteFile(filepath.Join("assets", "svg", name+".svg"), source, 0o644); err != nil {
		return err
	}
	if err := write("png", name+".png", source, size); err != nil {
		return err
	}
	data, err := ico(source, sizes)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("assets", "ico", name+".ico"), data, 0o644)
}

func write(dir, name string, source []byte, size int) error {
	data, err := png(source, size)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join("assets", dir, name), data, 0o644)
}

// png renders a drawing to a square PNG.
func png(source []byte, size int) ([]byte, error) {
	cmd := exec.Command("rsvg-convert", "-w", fmt.Sprint(size), "-h", fmt.Sprint(size))
	cmd.Stdin = bytes.NewReader(source)
	data, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("rsvg-convert (Debian: librsvg2-bin): %w", err)
	}
	return data, nil
}

// ico renders a drawing in several sizes into one ICO file: a header, an entry for each size, and
// PNGs, which Windows reads since Vista.
func ico(source []byte, sizes []int) ([]byte, error) {
	var head, body bytes.Buffer
	put := func(values ...uint16) {
		for _, v := range values {
			_ = binary.Write(&head, binary.LittleEndian, v) // to memory
		}
	}
	put(0, 1, uint16(len(sizes)))
	for _, size := range sizes {
		data, err := png(source, size)
		if err != nil {
			return nil, err
		}
		head.Write([]byte{byte(size), byte(size), 0, 0}) // 256 is written as 0
		put(1, 32)
		for _, v := range []int{len(data), 6 + 16*len(sizes) + body.Len()} {
			_ = binary.Write(&head, binary.LittleEndian, uint32(v)) // to memory
		}
		body.Write(data)
	}
	return append(head.Bytes(), body.Bytes()...), nil
}
