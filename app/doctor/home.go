package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"blendtray/app/home"
)

// examineHome examines those of the program's own folders that exist.
func examineHome(paths home.Paths) []Finding {
	var all []Finding
	seen := map[string]bool{}
	for _, dir := range []string{paths.Data, paths.Runtime, paths.State, paths.Log, paths.Cache} {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // the first start of the engine makes the folder
		case err != nil:
			all = append(all, Wrong("home", "", "%v", err))
		case !info.IsDir():
			all = append(all, Wrong("home", "mv "+dir+" "+dir+".old", "%s is not a folder", dir))
		default:
			if f := examineAccess(dir, info, dir == paths.Data || dir == paths.Runtime); f != nil {
				all = append(all, *f)
			}
		}
	}
	if len(all) == 0 {
		return []Finding{Right("home", "%s", paths.Data)}
	}
	return all
}

// enoughDisk is how many bytes should be free for histories, logs and unpacked add-ons.
const enoughDisk = 500e6

func (c Config) examineDisk() []Finding {
	dir := c.Paths.Data
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := diskFree(dir)
	switch {
	case err != nil:
		return []Finding{Wrong("disk", "", "the room on the disk of %s can't be found out: %v", dir, err)}
	case free < enoughDisk:
		return []Finding{Wrong("disk", "free some room on the disk of "+dir, "only %s are free where %s is", c.Size(free), dir)}
	}
	return []Finding{Right("disk", "%s are free", c.Size(free))}
}

// examineToken examines the file of the token that Blender's port demands.
func examineToken(paths home.Paths) []Finding {
	file := paths.TokenFile()
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the first start of the engine makes the file
	case err != nil:
		return []Finding{Wrong("token", "make it yours, or remove it: the next start of the engine makes another", "%v", err)}
	case home.OpenToOthers(file):
		return []Finding{Wrong("token", "chmod 600 "+file+" and end the engine: its next start makes another", "others may read %s", file)}
	case len(text) < home.MinToken:
		return []Finding{Wrong("token", "rm "+file+" and end the engine: its next start makes another", "%s holds no token", file)}
	}
	return []Finding{Right("token", "%s is for this user alone", file)}
}
