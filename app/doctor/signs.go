package doctor

import (
	"os"

	"blendtray/tray/install"
	"blendtray/tray/signs"
)

// examineSigns finds out whether the window can show the languages of the person and the names of the
// files in the watched folders. It finds nothing where there is no window, or where every machine has the
// signs.
func (c Config) examineSigns() []Finding {
	if c.Tray == nil || c.Tray.Display != nil {
		return nil
	}
	folders := make([]string, len(c.Folders))
	for i, f := range c.Folders {
		folders[i] = f.Path
	}
	return c.examineNeeds(signs.Needed(signs.Languages(os.Environ()), signs.Names(folders)), install.Here())
}

// examineNeeds examines the fonts of this machine, which is a system, for signs.
func (c Config) examineNeeds(needs []signs.Need, on install.System) []Finding {
	if len(needs) == 0 {
		return nil
	}
	has := c.Fonts
	if has == nil {
		var err error
		if has, err = signs.Fonts(""); err != nil {
			return []Finding{Wrong("fonts", "", "the fonts can't be read: %v", err)}
		}
	}
	missing := signs.Missing(needs, has)
	if len(missing) == 0 {
		return []Finding{Right("fonts", "they have the signs for %s", signs.Words(needs))}
	}
	where := ""
	for _, n := range missing {
		if n.Name != "" {
			where = ", which " + n.Name + " has"
			break
		}
	}
	return []Finding{Wrong("fonts", signs.Fix(missing, on), "no font has all signs for %s%s; the window shows a box instead", signs.Words(missing), where)}
}
