package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"blendtray/app/home"
	"blendtray/watcher"
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
			} else if why := watcher.Distrust(dir); why != "" {
				all = append(all, Wrong("home", "", "others could change %s, and so have code run as you: %s", dir, why))
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
		return []Finding{Wrong("disk", "", "it is not known how much room the disk of %s has: %v", dir, err)}
	case free < enoughDisk:
		return []Finding{Wrong("disk", "free some room on the disk of "+dir, "only %s are free where %s is", c.Size(free), dir)}
	}
	return []Finding{Right("disk", "%s are free", c.Size(free))}
}

// examineDoors examines the files that say how the user's programs reach a Blender.
func examineDoors(paths home.Paths) []Finding {
	files, err := home.Entries(paths.Ports(), ".json")
	if err != nil {
		return []Finding{Wrong("token", "", "%v", err)}
	}
	if len(files) == 0 {
		return []Finding{Right("token", "no Blender has a port that other programs could use")}
	}
	var all []Finding
	for _, file := range files {
		door, err := home.ReadDoor(file)
		const anew = "`blendtray restart` makes another"
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// That Blender has just ended.
		case err != nil:
			all = append(all, Wrong("token", anew, "%v", err))
		case home.OpenToOthers(file):
			all = append(all, Wrong("token", anew, "others may read %s, which has the token of Blender's port", file))
		default:
			all = append(all, Right("token", "only this user can read the token of port %d", door.Port))
		}
	}
	return all
}
