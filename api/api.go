// Package api holds what passes between an engine and its clients: runs, events, the status,
// the errors that a client decides on, and the limits that both sides keep.
//
// It does nothing. The engine fills these types, control carries them as JSON, and the command
// line, the tray and later clients read them. It imports no other room, so a client that needs
// no more than api and control links neither the engine nor SQLite. The names of the JSON
// fields are a contract: other programs read them.
package api

// MaxCode is the largest script in bytes, wherever it comes from: a watched folder, the command
// line, the control interface. Base64 makes 43 MiB of it, which fits in a frame of the wire to
// Blender (64 MiB) together with everything beside the script.
const MaxCode = 32 << 20
