package watcher

import "testing"

func TestCopiesThatProgramsMakeAreNoScripts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a_BASE_1.py":       true, // git mergetool
		"a_LOCAL_12345.py":  true,
		"a_REMOTE_12345.py": true,
		"a_BACKUP_12345.py": true,
		"sub/a_BASE_1.py":   true,
		"flycheck_a.py":     true,
		"a_flymake.py":      true,
		"flymake_a.py":      true,
		"a.sync-conflict-20260102-030405-ABCDEFG.py":            true, // Syncthing
		"a (Ada's conflicted copy 2026-01-02).py":               true, // Dropbox
		"a (conflicted copy 2026-01-02 030405).py":              true, // Nextcloud
		"a (Case Conflict).py":                                  true,
		"a_conflict-20260102-030405.py":                         true, // ownCloud
		"a (SFConflict ada@example.org 2026-01-02-03-04-05).py": true, // Seafile
		"a (conflict on 2026-01-02).py":                         true, // Unison
		"a [conflicted].py":                                     true, // pCloud
		"a.Conflict.py":                                         true, // Resilio
		"a-DESKTOP-1A2B3C4.py":                                  true, // OneDrive
		"a-LAPTOP-1A2B3C4D.py":                                  true,
		"base.py":                                               false,
		"a_BASE.py":                                             false,
		"a_base_mesh.py":                                        false,
		"local_1.py":                                            false,
		"conflict.py":                                           false,
		"solve_conflict.py":                                     false,
		"a (copy).py":                                           false,
		"a (1).py":                                              false,
		"desktop.py":                                            false,
		"a-desktop.py":                                          false,
		"flycheck.py":                                           false,
	} {
		if got := Ignored(name); got != want {
			t.Errorf("%s: ignored is %v, want %v", name, got, want)
		}
	}
}
