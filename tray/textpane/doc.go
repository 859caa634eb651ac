// Package textpane shows a text of any length: what a program prints, code, a log.
//
// A [Pane] draws the lines in sight and no others, so that 100 MB cost what a page costs. It shows
// colours and overwritten lines as a terminal does; a person can select, copy, find and wrap. It
// knows nothing of runs: those who use it fill it and are told of clicks.
//
// Its parts, of which only the pane needs the window toolkit: cells (signs in cells of one width),
// ansi (what a line shows), buffer (lines that grow), find, selection, and raster (drawing).
package textpane
