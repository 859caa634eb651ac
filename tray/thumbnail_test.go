//go:build !headless

package tray

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"blendtray/api"
)

// picture writes a picture of one colour.
func picture(t *testing.T, path string, size image.Point) {
	t.Helper()
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			img.Set(x, y, color.RGBA{200, 100, 50, 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if strings.HasSuffix(path, ".png") {
		err = png.Encode(f, img)
	} else {
		err = jpeg.Encode(f, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPictureIsMadeSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name       string
		size, want image.Point
	}{
		{"wide.png", image.Pt(1920, 1080), image.Pt(200, 112)},
		{"high.jpg", image.Pt(500, 2000), image.Pt(50, 200)},
		{"small.png", image.Pt(20, 10), image.Pt(20, 10)},
		{"line.png", image.Pt(3000, 1), image.Pt(200, 1)},
	} {
		path := filepath.Join(dir, c.name)
		picture(t, path, c.size)
		small, err := shrink(path, image.Pt(200, 200))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := small.Bounds().Size(); got != c.want {
			t.Errorf("%s is %v, want %v", c.name, got, c.want)
		}
		if r, g, b, _ := small.At(0, 0).RGBA(); r>>12 != 200>>4 || g>>12 != 100>>4 || b>>12 != 50>>4 {
			t.Errorf("%s has the colour %d, %d, %d", c.name, r>>8, g>>8, b>>8)
		}
	}
	// A picture that claims to be huge is not decoded, and a file that is no picture fails.
	const header = "IHDR\x00\x01\x00\x00\x00\x01\x00\x00\x08\x02\x00\x00\x00" // 65,536 by 65,536
	huge := binary.BigEndian.AppendUint32([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"+header), crc32.ChecksumIEEE([]byte(header)))
	for _, c := range []struct{ name, text, says string }{
		{"huge.png", string(huge), "65536 by 65536 pixels"}, {"none.png", "no picture", "unknown format"}, {"empty.png", "", "unknown format"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := shrink(path, image.Pt(200, 200)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestThePicturesOfARunComeAndOpen(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.png"), filepath.Join(dir, "bad.png")
	picture(t, good, image.Pt(400, 300))
	r := succeeded("/srv/a.py")
	r.Outputs = []string{good, bad, filepath.Join(dir, "a.blend")}
	o := openWindow(t, r)
	d := o.runs.detail
	o.until("the run is shown", func() bool { return d.run.ID == "1" })
	images := d.pictures.images
	if len(images.Objects) != 0 {
		t.Error("the pictures are read although nobody looks at them")
	}
	d.showPane("pictures")
	o.until("they are shown", func() bool { return len(images.Objects) == 3 && strings.Contains(d.output.pane.Text(), "hello") })
	first, second := images.Objects[0].(*thumbnail), images.Objects[1].(*thumbnail)
	o.until("the pictures have come", func() bool { return first.image.Image != nil && second.image.Resource != nil })
	again := d.run
	again.Reason = "changed"
	o.runs.queue(api.Event{Kind: api.KindRun, ID: again.ID, Run: &again})
	o.until("the change is shown", func() bool { return d.run.Reason == "changed" })
	if images.Objects[0] != first {
		t.Error("the pictures were read again")
	}
	test.Tap(first)
	o.until("it is opened large", func() bool {
		v := o.pictures.viewer
		return o.tabs.Selected().Content == o.pictures.content && v.opened && v.one.of.path == good && v.one.pane.shown != nil
	})
}

func TestAPictureThatIsNotShownAnyMoreIsNotDecoded(t *testing.T) {
	o := openWindow(t)
	o.decoding <- struct{}{} // another picture has the turn
	gone := newThumbnail(o.window, shot{path: "/a.png", output: scenePreview}, "", func() {})
	dropThumbnails([]fyne.CanvasObject{gone})
	o.until("nobody waits for it", func() bool { return o.shell.busy == 0 })
	<-o.decoding
	if gone.image.Resource != nil {
		t.Error("it was shown")
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	for range 100 { // the turn and the end come at once
		if _, err := o.readPicture(over, shot{path: "/a.png"}, func(string) (image.Image, error) {
			t.Error("it is decoded")
			return nil, nil
		}); err == nil {
			t.Fatal("it is read")
		}
	}
}
