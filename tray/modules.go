//go:build !headless

package tray

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// licences are the licences of the modules that the program is made of, as identifiers of SPDX.
var licences = map[string]string{
	"fyne.io/fyne/v2":                           "BSD-3-Clause",
	"fyne.io/systray":                           "Apache-2.0",
	"github.com/BurntSushi/toml":                "MIT",
	"github.com/DeRuina/timberjack":             "MIT",
	"github.com/FyshOS/fancyfs":                 "BSD-3-Clause",
	"github.com/Microsoft/go-winio":             "MIT",
	"github.com/TheTitanrain/w32":               "BSD-2-Clause",
	"github.com/adrg/xdg":                       "MIT",
	"github.com/alecthomas/chroma/v2":           "MIT",
	"github.com/alecthomas/kong":                "MIT",
	"github.com/anthonynsimon/bild":             "MIT",
	"github.com/antithesishq/antithesis-sdk-go": "MIT",
	"github.com/aymanbagabas/go-udiff":          "BSD-3-Clause AND MIT",
	"github.com/bmatcuk/doublestar/v4":          "MIT",
	"github.com/clipperhouse/uax29/v2":          "MIT",
	"github.com/dlclark/regexp2/v2":             "MIT",
	"github.com/dustin/go-humanize":             "MIT",
	"github.com/ebitengine/purego":              "Apache-2.0",
	"github.com/fsnotify/fsnotify":              "BSD-3-Clause",
	"github.com/fyne-io/image":                  "BSD-3-Clause",
	"github.com/fyne-io/oksvg":                  "BSD-3-Clause",
	"github.com/go-gl/gl":                       "MIT",
	"github.com/go-gl/glfw/v3.4/glfw":           "BSD-3-Clause",
	"github.com/go-ole/go-ole":                  "MIT",
	"github.com/go-text/render":                 "Unlicense OR BSD-3-Clause",
	"github.com/go-text/typesetting":            "Unlicense OR BSD-3-Clause",
	"github.com/godbus/dbus/v5":                 "BSD-2-Clause",
	"github.com/gofrs/flock":                    "BSD-3-Clause",
	"github.com/google/go-tpm":                  "Apache-2.0",
	"github.com/google/jsonschema-go":           "MIT",
	"github.com/google/shlex":                   "Apache-2.0",
	"github.com/google/uuid":                    "BSD-3-Clause",
	"github.com/jeandeaual/go-locale":           "MIT",
	"github.com/jsummers/gobmp":                 "MIT",
	"github.com/kardianos/service":              "Zlib",
	"github.com/klauspost/compress":             "BSD-3-Clause",
	"github.com/lufia/plan9stats":               "BSD-3-Clause",
	"github.com/mattn/go-isatty":                "MIT",
	"github.com/mattn/go-runewidth":             "MIT",
	"github.com/minio/highwayhash":              "Apache-2.0",
	"github.com/modelcontextprotocol/go-sdk":    "Apache-2.0 AND MIT",
	"github.com/nats-io/jwt/v2":                 "Apache-2.0",
	"github.com/nats-io/nats-server/v2":         "Apache-2.0",
	"github.com/nats-io/nats.go":                "Apache-2.0",
	"github.com/nats-io/nkeys":                  "Apache-2.0",
	"github.com/nats-io/nuid":                   "Apache-2.0",
	"github.com/ncruces/go-strftime":            "MIT",
	"github.com/nfnt/resize":                    "ISC",
	"github.com/nicksnyder/go-i18n/v2":          "MIT",
	"github.com/pelletier/go-toml/v2":           "MIT",
	"github.com/power-devops/perfstat":          "MIT",
	"github.com/remyoudompheng/bigfft":          "BSD-3-Clause",
	"github.com/rymdport/portal":                "Apache-2.0",
	"github.com/segmentio/asm":                  "MIT",
	"github.com/segmentio/encoding":             "MIT",
	"github.com/shirou/gopsutil/v4":             "BSD-3-Clause",
	"github.com/sqweek/dialog":                  "ISC",
	"github.com/srwiley/oksvg":                  "BSD-3-Clause",
	"github.com/srwiley/rasterx":                "BSD-3-Clause",
	"github.com/tailscale/hujson":               "BSD-3-Clause",
	"github.com/tklauser/go-sysconf":            "BSD-3-Clause",
	"github.com/tklauser/numcpus":               "Apache-2.0",
	"github.com/yosida95/uritemplate/v3":        "BSD-3-Clause",
	"github.com/yuin/goldmark":                  "MIT",
	"github.com/yusufpapurcu/wmi":               "MIT",
	"golang.org/x/crypto":                       "BSD-3-Clause",
	"golang.org/x/image":                        "BSD-3-Clause",
	"golang.org/x/net":                          "BSD-3-Clause",
	"golang.org/x/oauth2":                       "BSD-3-Clause",
	"golang.org/x/sync":                         "BSD-3-Clause",
	"golang.org/x/sys":                          "BSD-3-Clause",
	"golang.org/x/term":                         "BSD-3-Clause",
	"golang.org/x/text":                         "BSD-3-Clause",
	"golang.org/x/time":                         "BSD-3-Clause",
	"modernc.org/libc":                          "BSD-3-Clause",
	"modernc.org/mathutil":                      "BSD-3-Clause",
	"modernc.org/memory":                        "BSD-3-Clause",
	"modernc.org/sqlite":                        "BSD-3-Clause",
}

// moduleLines returns a line for each module that the program is made of, with its version and its licence.
func moduleLines(modules []*debug.Module) []string {
	lines := []string{"Go: BSD-3-Clause"}
	for _, m := range modules {
		licence := licences[m.Path]
		if licence == "" {
			licence = "see the module"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", m.Path, m.Version, licence))
	}
	return lines
}

// versionOf returns the version of a module, without the v, or "".
func versionOf(modules []*debug.Module, path string) string {
	for _, m := range modules {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return ""
}

// modules returns the modules that this program is made of, or nil when the program does not know them.
func modules() []*debug.Module {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	return info.Deps
}
