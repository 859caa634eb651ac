//go:build !headless

package tray

// history has the scripts that were sent, and the place in it that the person has gone back to.
type history struct {
	sent  []string
	at    int    // an index of sent, or len(sent) for the draft
	draft string // the script that was being typed
}

// add notes a script that was sent. The same script twice in a row counts once.
func (h *history) add(code string) {
	if n := len(h.sent); n == 0 || h.sent[n-1] != code {
		h.sent = append(h.sent, code)
		h.sent = h.sent[max(0, len(h.sent)-maxHistory):]
	}
	h.at, h.draft = len(h.sent), ""
}

// step goes back (-1) or forward (1) and returns the script there. shown is the script that the
// window shows now. ok is false at either end.
func (h *history) step(by int, shown string) (text string, ok bool) {
	to := h.at + by
	if to < 0 || to > len(h.sent) {
		return "", false
	}
	if h.at == len(h.sent) {
		h.draft = shown
	}
	h.at = to
	if to == len(h.sent) {
		return h.draft, true
	}
	return h.sent[to], true
}
