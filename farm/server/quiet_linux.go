//go:build !nofarmserver && !race

package server

import (
	_ "unsafe" // for go:linkname
)

// procStatFile is the file from which the library reads every second, from the start of each program that has the
// server in it, how much of the processor the program takes: also in an engine that serves no farm, and in which these
// readings were half of what it took at rest (0.044 of 0.10 % of a core). The library ends them when the file can't
// be read. They are for its pages of monitoring, which nothing here has.
//
//go:linkname procStatFile github.com/nats-io/nats-server/v2/server/pse.procStatFile
var procStatFile string

func init() { procStatFile = "" }
