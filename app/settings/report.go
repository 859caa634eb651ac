package settings

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"blendtray/api"
)

// report returns the settings as clients see them.
func (l *Loaded) report(file, wrong string) api.SettingsReport {
	r := api.SettingsReport{File: file, Error: wrong, Groups: []api.SettingsGroup{}, Settings: []api.Setting{}, Folders: []api.FolderReport{}}
	root := reflect.ValueOf(l.Settings)
	for _, t := range tables {
		if t.kind != reflect.Slice {
			r.Groups = append(r.Groups, t.group)
		}
		switch t.kind {
		case reflect.Struct:
			for _, d := range t.keys {
				r.Settings = append(r.Settings, l.setting(d, d.Key(), root.Field(t.index), d.standard))
			}
		case reflect.Map:
			standard := reflect.ValueOf(l.Blender)
			for _, name := range slices.Sorted(maps.Keys(l.Blenders)) {
				for _, d := range t.keys {
					key := t.name + "." + name + "." + d.Name
					value := d.in(standard)
					if d.Alone {
						value = d.standard
					}
					r.Settings = append(r.Settings, l.setting(d, key, reflect.ValueOf(l.Blenders[name]), value))
				}
			}
		}
	}
	for i := range l.Folders {
		r.Folders = append(r.Folders, l.folderReport(i))
	}
	return r
}

// setting returns a key of a table.
func (l *Loaded) setting(d *Declaration, key string, table, standard reflect.Value) api.Setting {
	from, ok := l.origins[key]
	if !ok {
		from.from = api.FromDefault
	}
	s := d.setting(key, d.in(table), from.from)
	s.Default, s.Fixed = plain(standard), l.fixed(key)
	return s
}

func (d *Declaration) setting(key string, value reflect.Value, from api.From) api.Setting {
	return api.Setting{
		Key: key, Value: plain(value), Default: d.Default(), From: from, Holds: d.Holds, Type: d.Type,
		Words: append([]string{}, d.Words...), Path: d.Path, Label: d.Label, Help: d.Help,
	}
}

func (l *Loaded) folderReport(i int) api.FolderReport {
	from := l.folders[i]
	f := api.FolderReport{Path: l.Folders[i].Path, From: from.from, Settings: []api.Setting{}}
	if from.from == api.FromFlag {
		f.Fixed = givenByFlag(from.flag)
	}
	for _, d := range Declarations(tableFolder) {
		if d.Name == keyPath {
			continue
		}
		s := d.setting(d.Name, d.in(reflect.ValueOf(l.Folders[i])), api.FromDefault)
		if from.written[d.Name] {
			s.From = from.from
		}
		s.Fixed = f.Fixed
		f.Settings = append(f.Settings, s)
	}
	return f
}

// fixed returns why a key can't be changed, or "".
func (l *Loaded) fixed(key string) string {
	switch from := l.origins[key]; from.from {
	case api.FromVariable:
		return "set by the variable " + from.name + ", which overrides the file"
	case api.FromFlag:
		return givenByFlag(from.name)
	}
	return ""
}

func givenByFlag(flag string) string {
	return "given by the flag " + flag + ", which overrides the file"
}

// differences returns a sentence for each thing that is other in later settings.
func (l *Loaded) differences(later Loaded) []string {
	var all []string
	before, after := l.report("", ""), later.report("", "")
	for _, name := range slices.Sorted(maps.Keys(later.Blenders)) {
		if _, ok := l.Blenders[name]; !ok {
			all = append(all, "there is a Blender "+name+" now")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Blenders)) {
		if _, ok := later.Blenders[name]; !ok {
			all = append(all, "there is no Blender "+name+" any more")
		}
	}
	for _, s := range after.Settings {
		if old, ok := before.Find(s.Key); ok && s.Text() != old.Text() {
			all = append(all, fmt.Sprintf("%s is %s now%s", s.Key, shown(s), when(s.Holds)))
		}
	}
	for _, f := range after.Folders {
		old, ok := before.Folder(f.Path)
		if !ok {
			all = append(all, "the folder "+f.Path+" is watched now")
			continue
		}
		for _, s := range f.Settings {
			if was, _ := old.Find(s.Key); was.Text() != s.Text() {
				all = append(all, fmt.Sprintf("%s of the folder %s is %s now", s.Key, f.Path, shown(s)))
			}
		}
	}
	for _, f := range before.Folders {
		if _, ok := after.Folder(f.Path); !ok {
			all = append(all, "the folder "+f.Path+" is not watched any more")
		}
	}
	return all
}

// shown returns the value of a setting for a sentence.
func shown(s api.Setting) string {
	if s.Text() == "" {
		return "empty"
	}
	return s.Text()
}

// when returns from when a setting holds, or "" when it holds at once.
func when(h api.Holds) string {
	switch h {
	case api.HoldsFromBlenderStart:
		return ", from the next start of Blender on"
	case api.HoldsFromWindowStart:
		return ", from the next start of the window on"
	}
	return ""
}
