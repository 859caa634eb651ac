package engine

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"blendtray/api"
)

// maxCompared is up to how many bytes two scripts have together for them to be compared: a megabyte
// in which every line differs takes a tenth of a second.
const maxCompared = 4 << 20

// Changes returns how the code of a run differs from the code of the run before of the same script: of
// the same file, or of the same name in the same session. It fails with [api.ErrNotFound] when there
// is no run with the id.
func (e *Engine) Changes(ctx context.Context, id string) (api.Changes, error) {
	j, err := e.lookUp(ctx, id)
	if err != nil {
		return api.Changes{}, err
	}
	e.writeLaterNow() // the run before may wait to be written down
	code, err := e.codeOf(ctx, j.id)
	if err != nil {
		return api.Changes{}, err
	}
	c := api.Changes{Run: id, Script: j.run.Script}
	before, err := e.store.before(ctx, j)
	if err != nil {
		return api.Changes{}, err
	}
	var old []byte
	oldName, newName := "/dev/null", fmt.Sprintf("%s (run %s)", j.run.Script, id)
	if before != 0 {
		c.Before = formatID(before)
		oldName = fmt.Sprintf("%s (run %s)", j.run.Script, c.Before)
		if old, err = e.store.code(ctx, before); err != nil {
			return api.Changes{}, err
		}
	}
	c.Same = before != 0 && bytes.Equal(old, code)
	switch {
	case c.Same:
	case !utf8.Valid(old) || !utf8.Valid(code) || len(old)+len(code) > maxCompared:
		c.NoText = true
	default:
		err = compare(&c, oldName, newName, string(old), string(code))
	}
	return c, err
}

// compare sets the diff between two texts in c, and counts the lines that differ.
func compare(c *api.Changes, oldName, newName, old, code string) error {
	diff, err := udiff.ToUnifiedDiff(oldName, newName, old, udiff.Lines(old, code), udiff.DefaultContextLines)
	if err != nil {
		return fmt.Errorf("compare run %s with run %s: %w", c.Run, c.Before, err)
	}
	for _, hunk := range diff.Hunks {
		for _, line := range hunk.Lines {
			switch line.Kind {
			case udiff.Insert:
				c.Added++
			case udiff.Delete:
				c.Removed++
			}
		}
	}
	c.Diff = diff.String()
	return nil
}
