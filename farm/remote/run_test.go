package remote

import (
	"path/filepath"
	"reflect"
	"testing"

	"blendtray/api"
	"blendtray/farm/files"
)

// A machine that names a module with bytes that nobody has sent would have its script run again and again.
func TestOnlyModulesThatWereSentCount(t *testing.T) {
	sent := files.HashOf([]byte("NAME = 1"))
	other := string(files.HashOf([]byte("NAME = 2")))
	tree := files.Tree{Files: []files.Entry{
		{Name: "_helper.py", Blob: files.Blob{Hash: sent, Size: 8}}, {Name: "pack/__init__.py", Blob: files.Blob{Hash: sent, Size: 8}},
	}}
	dir := t.TempDir()
	got := sentOf([]api.Import{
		{Path: "_helper.py", SHA256: other},
		{Path: "pack/__init__.py", SHA256: string(sent)},
		{Path: "../pack/__init__.py", SHA256: string(sent)},
		{Path: "nobody.py", SHA256: ""},
	}, tree, dir)
	if want := [][2]string{{filepath.Join(dir, "pack", "__init__.py"), string(sent)}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, and not %v", got, want)
	}
}
