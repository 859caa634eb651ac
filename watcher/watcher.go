// Package watcher turns folders into settled saves.
//
// A [Watcher] is given folders and calls back once for each script that was saved in them,
// with the bytes that were saved, when nobody is writing them any more. Events of the
// system are hints; the disk is the truth. It does not decide whether a save becomes a run:
// that is the engine's part.
package watcher

import "time"

// Folder is one watched folder and what in it counts as a script.
type Folder struct {
	// Path is absolute and clean.
	Path string
	// Recursive watches the folders below Path too.
	Recursive bool
	// Include and Exclude are doublestar patterns on the slash-separated path relative to
	// Path. A file counts when one of Include matches (none given: "**/*.py") and none of
	// Exclude does, over and above what [Ignored] rules out.
	Include, Exclude []string
	// Poll asks for scanning at this interval instead of the system's events, for folders
	// where events do not work (network mounts are found out without it). 0: events.
	Poll time.Duration
}

// Stamp is what is known of a file that was seen before.
type Stamp struct {
	Size    int64
	ModTime time.Time
	// Hash is the SHA-256 of its bytes in lower-case hex.
	Hash string
}

// Save is a script whose bytes have settled on disk.
type Save struct {
	// Folder is the Path of the [Folder] it was found in, Path the script's absolute path.
	Folder, Path string
	// Code is the file's bytes, and Stamp says of exactly these bytes what is to be kept.
	Code  []byte
	Stamp Stamp
	// Scan is true when a scan found it (at the start, after an overflow, by polling of a
	// new folder) and false when it was saved while being watched.
	Scan bool
	// Seen is when the event arrived that led to this save, for latency figures.
	Seen time.Time
}

// FolderStatus is how a folder is being watched just now.
type FolderStatus struct {
	Path string `json:"path"`
	// Method is "inotify", "fsnotify" or "poll", or "" when it is not watched.
	Method string `json:"method"`
	// Error says why it is not (fully) watched and what to do, or is empty.
	Error string `json:"error"`
}
