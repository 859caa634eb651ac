package tray

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2/lang"

	"blendtray/api"
	"blendtray/tray/translations"
)

// The tests read English, whatever the language of the machine.
func init() { speak("en") }

func speak(language string) {
	if err := translations.Use(language); err != nil {
		panic(err)
	}
}

// The sentences in other languages are whole: nothing of the English is left between the words.
func TestEachLanguageHasItsOwnOrderAndForms(t *testing.T) { // not parallel: it changes what all texts are
	defer speak("en")
	began := now.Add(-3 * time.Second)
	waiting := func(n int) func(*State) { return func(s *State) { s.Status.Queued = n } }
	stale := func(n int) func(*State) {
		return func(s *State) { s.Status.Folders = []api.FolderStatus{{Stale: make([]string, n)}} }
	}
	headlineOf := func(s State) func() string { return func() string { return headline(s, now) } }
	for _, c := range []struct {
		says            func() string
		english, de, zh string
	}{
		{headlineOf(attached(api.BlenderStarting, waiting(1))), "Blender is starting… · 1 waiting", "Blender startet … · 1 wartet", "Blender 正在启动… · 1 个等待中"},
		{headlineOf(attached(api.BlenderStarting, waiting(2))), "Blender is starting… · 2 waiting", "Blender startet … · 2 warten", "Blender 正在启动… · 2 个等待中"},
		{headlineOf(attached(api.BlenderReady, stale(1))), "Blender 4.5.1 · ready · modules of 1 script have changed", "Blender 4.5.1 · bereit · Module von 1 Skript haben sich geändert", "Blender 4.5.1 · 就绪 · 1 个脚本的模块已更改"},
		{headlineOf(attached(api.BlenderReady, stale(2))), "Blender 4.5.1 · ready · modules of 2 scripts have changed", "Blender 4.5.1 · bereit · Module von 2 Skripten haben sich geändert", "Blender 4.5.1 · 就绪 · 2 个脚本的模块已更改"},
		{headlineOf(attached(api.BlenderFailed)), "Blender can't start: no reason is known", "Blender kann nicht starten: kein Grund bekannt", "Blender 无法启动：原因不明"},
		{headlineOf(attached(api.BlenderRunning, running(&api.Progress{Fraction: 0.429, RemainingSeconds: 4.2}))), "turntable.py · 42 % · 4.2 s left", "turntable.py · 42 % · noch 4,2 s", "turntable.py · 42% · 剩余 4.2 秒"},
		{func() string {
			return runLine(api.Run{Script: "/a/b.py", State: api.Succeeded, StartedAt: &began, Seconds: 1.24}, now)
		}, "✓ b.py · 1.2 s", "✓ b.py · 1,2 s", "✓ b.py · 1.2 秒"},
		{func() string {
			return runLine(api.Run{Script: "/a/b.py", State: api.Failed, Error: &api.ScriptError{Type: "KeyError", Line: 4}}, now)
		}, "✗ b.py · KeyError, line 4", "✗ b.py · KeyError, Zeile 4", "✗ b.py · KeyError，第 4 行"},
		{func() string { return date(time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)) }, "4 Mar 05:06", "4. März 05:06", "3月4日 05:06"},
		{func() string { return date(time.Date(2026, 5, 4, 5, 6, 0, 0, time.UTC)) }, "4 May 05:06", "4. Mai 05:06", "5月4日 05:06"},
		{func() string { return bytesText(int64(1_540_000)) }, "1.5 MB", "1,5 MB", "1.5 MB"},
		{func() string { return bytesText(uint64(120_000_000_000)) }, "120 GB", "120 GB", "120 GB"},
		{func() string { return bytesText(int64(1)) + ", " + bytesText(int64(999)) }, "1 byte, 999 bytes", "1 Byte, 999 Bytes", "1 字节, 999 字节"},
		{func() string { return bytesText(int64(999_600)) + ", " + bytesText(int64(1000)) }, "1.0 MB, 1.0 KB", "1,0 MB, 1,0 KB", "1.0 MB, 1.0 KB"},
		{func() string { return grouped(1234567) + ", " + grouped(-123) + ", " + grouped(1000) }, "1,234,567, -123, 1,000", "1.234.567, -123, 1.000", "1,234,567, -123, 1,000"},
		{func() string { return because(couldNot("open the folder"), "no such file") }, "Could not open the folder: no such file", "Der Ordner konnte nicht geöffnet werden: no such file", "无法打开文件夹：no such file"},
		{func() string { return endsRuns(attached(api.BlenderRunning, running(nil))) }, "turntable.py is running. This ends the run.", "turntable.py läuft. Der Lauf wird dadurch beendet.", "turntable.py 正在运行，此操作将结束该运行。"},
		{func() string { return stateWord("a state of tomorrow") }, "a state of tomorrow", "a state of tomorrow", "a state of tomorrow"},
		{func() string { return lang.L("Cancel") }, "Cancel", "Abbrechen", "取消"},
	} {
		for language, want := range map[string]string{"en": c.english, "de": c.de, "zh": c.zh} {
			speak(language)
			if got := c.says(); got != want {
				t.Errorf("%s: %q, want %q", language, got, want)
			}
		}
	}
}

func TestTheMenuFitsInEachLanguage(t *testing.T) { // not parallel: it changes what all texts are
	defer speak("en")
	for _, l := range translations.Languages {
		speak(l.Name)
		for _, s := range []State{{}, {Link: Lost}, attached(api.BlenderReady), attached(api.BlenderReady, func(s *State) { s.Own = false })} {
			for _, it := range Menu(s, now) {
				if strings.Contains(it.Label, "…") && !strings.HasSuffix(it.Label, "…") {
					t.Errorf("%s: %q is cut", l.Name, it.Label)
				}
			}
		}
	}
}

// A link in the help of a setting leads to a file that a person who reads the window does not have.
func TestNoHintHasALink(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "de", "zh"} {
		text, err := os.ReadFile(filepath.Join("translations", language+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for english, said := range all {
			if help, ok := said.(string); ok && strings.Contains(english, "](") {
				if got := api.PlainHelp(help); strings.Contains(got, "](") {
					t.Errorf("%s: %q has a link", language, got)
				}
			}
		}
	}
}
