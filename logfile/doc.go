// Package logfile reads a log while others write it: its end, what is before that, and what is added, also
// when the log is put aside and a new one takes its place, or somebody empties it.
//
// A [Tail] begins with the last lines and goes on with what comes. A [Filter] leaves out lines.
//
// The package writes no logs, and knows no engine: a log is what is left when the engine is gone.
package logfile
