//go:build unix

package watcher

import (
	"strings"
	"testing"
)

func TestEachLineOfTheStatusIsOneKindOfTroubleWhateverTheNames(t *testing.T) {
	t.Parallel()
	r := prepare(t, func(c *Config, _ *options) { c.MaxFileBytes = 1000 })
	r.write("a\nb.py", strings.Repeat("#", 1001))
	r.write("c\nd.py", "open\n")
	chmod(t, r.path("c\nd.py"), 0o666)
	r.serve()
	r.until("a status that tells both", func() bool {
		first, second, _ := strings.Cut(r.w.Status()[0].Error, "\n")
		return strings.Contains(first, `c\nd.py is not run`) && strings.Contains(second, `a\nb.py is not read`) && !strings.Contains(second, "\n")
	})
}
