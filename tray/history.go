//go:build !headless

package tray

// history is what was sent before, and where in it somebody is.
type history struct {
	sent  []string
	at    int    // len(sent): at the draft
	draft string // what was being typed
}

// add notes what was sent; the same twice in a row counts once.
func (h *history) add(code string) {
	if n := len(h.sent); n == 0 || h.sent[n-1] != code {
		h.sent = append(h.sent, code)
	}
	h.at, h.draft = len(h.sent), ""
}

// step goes back (-1) or forth (1) and gives the text that stands there; shown is what stands
// there now. ok is false at either end.
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
