package engine

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blendtray/api"
)

// lookText returns what the add-on is told of a look, and the file of its picture, or "". It fails with
// [api.ErrBad] when the look makes no sense.
func (e *Engine) lookText(l api.Look) (text, picture string, err error) {
	if err := checkLook(l); err != nil {
		return "", "", fmt.Errorf("%w: look: %w", api.ErrBad, err)
	}
	l.File = ""
	if l.What == "picture" {
		if e.cfg.PreviewDir == "" {
			return "", "", fmt.Errorf("%w: this engine makes no pictures", api.ErrNoScene)
		}
		if err := os.MkdirAll(e.cfg.PreviewDir, 0o700); err != nil {
			return "", "", fmt.Errorf("make the folder of the pictures: %w", err)
		}
		name := fmt.Sprintf("look%s-%x.jpg", strings.ToLower(rand.Text()[:8]), time.Now().UnixNano())
		l.File = filepath.Join(e.cfg.PreviewDir, name)
		e.prunePreviews(l.File)
	}
	told, err := json.Marshal(l)
	return string(told), l.File, err
}

// checkLook fails when a look makes no sense.
func checkLook(l api.Look) error {
	oneOf := func(what, word string, words []string) error {
		if word == "" || slices.Contains(words, word) {
			return nil
		}
		return fmt.Errorf("%s: %q is none of %s", what, word, strings.Join(words, ", "))
	}
	switch {
	case l.What == "" || !slices.Contains(api.LookKinds, l.What):
		return fmt.Errorf("what: %q is none of %s", l.What, strings.Join(api.LookKinds, ", "))
	case l.From < 0 || l.Max < 0 || l.Max > api.MaxLooked:
		return fmt.Errorf("n: %d from %d on can't be listed; %d at most", l.Max, l.From, api.MaxLooked)
	case len(l.Path) > api.MaxLookPath:
		return fmt.Errorf("path: it has %d bytes and may have %d", len(l.Path), api.MaxLookPath)
	case l.Path == "" && l.What == "inspect":
		return fmt.Errorf("path: it is missing, and says what to inspect")
	case l.Path != "" && l.What != "inspect":
		return fmt.Errorf("path: an inspect has it, and no other look")
	case len(l.Views) > api.MaxViews:
		return fmt.Errorf("views: %d are more than %d", len(l.Views), api.MaxViews)
	case l.Size != 0 && (l.Size < api.MinPreview || l.Size > api.MaxPreview):
		return fmt.Errorf("size: %d is not %d to %d", l.Size, api.MinPreview, api.MaxPreview)
	}
	for _, view := range l.Views {
		if err := oneOf("views", view, api.PreviewViews); err != nil {
			return err
		}
	}
	return oneOf("style", l.Style, api.LookStyles)
}
