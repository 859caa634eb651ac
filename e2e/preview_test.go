//go:build linux

package e2e

import (
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"

	"blendtray/api"
)

func TestARunHasAPictureOfItsScene(t *testing.T) {
	t.Parallel()
	p := started(t, "[runs]\npreview = \"cycles\"\n")
	p.waitReady()
	path := p.save("cube.py", "import bpy\nprint(len(bpy.data.objects))\n")
	var r api.Run
	p.eventually("the picture is there", func() bool {
		r = p.lastOf(path)
		return r.Preview != ""
	})
	f, err := os.Open(r.Preview)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if img, err := jpeg.Decode(f); err != nil || img.Bounds().Dx() != 480 {
		t.Errorf("the picture: %v", err)
	}
	if info, err := os.Stat(filepath.Dir(r.Preview)); err == nil && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("its folder has mode %v", info.Mode())
	}
	// The picture is not a run of its own: the newest run is the script's.
	if got := p.runs("-n", "1"); got[0].State != api.Succeeded || got[0].Preview != r.Preview {
		t.Errorf("in the list: %+v", got[0])
	}
}
