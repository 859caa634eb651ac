package api

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// none is how a person writes that there is no limit.
const none = "none"

// Duration is a time such as "1m30s" in the settings. The word none, or 0, is no limit.
type Duration time.Duration

// UnmarshalText reads a duration. It fails for negative ones and for what is not a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	if string(text) == none {
		*d = 0
		return nil
	}
	value, err := time.ParseDuration(string(text))
	if err != nil || value < 0 {
		return fmt.Errorf("%q is no duration; write one such as \"30s\", \"5m\" or \"1h30m\"", text)
	}
	*d = Duration(value)
	return nil
}

// MarshalText writes a duration as [Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String returns a duration as a person would write it: "10m" and not "10m0s".
func (d Duration) String() string {
	if d == 0 {
		return none
	}
	text := time.Duration(d).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// Bytes is a number of bytes such as "4GB" in the settings. The word none, or 0, is no limit.
type Bytes uint64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
}

// UnmarshalText reads a size. It fails for what is not a size.
func (s *Bytes) UnmarshalText(text []byte) error {
	if string(text) == none {
		*s = 0
		return nil
	}
	number := strings.TrimSpace(string(text))
	unit := 1.0
	for _, u := range sizeUnits {
		if rest, ok := cutSuffixFold(number, u.name); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !(value >= 0) || value*unit >= math.MaxInt64 {
		return fmt.Errorf("%q is no size; write one such as \"512MB\", \"4GB\" or \"1MiB\"", text)
	}
	*s = Bytes(value * unit)
	return nil
}

// MarshalText writes a size as [Bytes.String] does.
func (s Bytes) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest unit that loses nothing, or none.
func (s Bytes) String() string {
	if s == 0 {
		return none
	}
	for _, u := range slices.Backward(sizeUnits) {
		if unit := Bytes(u.bytes); unit > 1 && s%unit == 0 {
			return fmt.Sprintf("%d%s", s/unit, u.name)
		}
	}
	return fmt.Sprintf("%dB", uint64(s))
}

func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at < 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// Count is a number in the settings, or the word auto.
type Count uint32

// CountAuto is the word auto.
const CountAuto Count = math.MaxUint32

// UnmarshalText reads a count. It fails for negative numbers and for what is no number.
func (c *Count) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*c = CountAuto
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return fmt.Errorf("%q is neither \"auto\" nor a number from 0 on", text)
	}
	*c = Count(n)
	return nil
}

// MarshalText writes a count as [Count.String] does.
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the number, or auto.
func (c Count) String() string {
	if c == CountAuto {
		return "auto"
	}
	return strconv.FormatUint(uint64(c), 10)
}

// Parallel is how many runs go on at the same time: 1 to [MaxParallel], or [ParallelAuto]. 0 is 1.
type Parallel uint32

const (
	// MaxParallel is how many runs may go on at the same time, at most.
	MaxParallel = 64
	// ParallelAuto is the word auto: as many runs as there are cores.
	ParallelAuto Parallel = math.MaxUint32
)

// Of returns how many runs go on at the same time on a machine with so many cores.
func (p Parallel) Of(cores int) int {
	if p == ParallelAuto {
		return max(1, min(cores, MaxParallel))
	}
	return max(1, int(p))
}

// UnmarshalText reads a number of runs. It fails for all but auto and 1 to [MaxParallel].
func (p *Parallel) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*p = ParallelAuto
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || n < 1 || n > MaxParallel {
		return fmt.Errorf("%q is neither \"auto\" nor a number from 1 to %d", text, MaxParallel)
	}
	*p = Parallel(n)
	return nil
}

// MarshalText writes a number of runs as [Parallel.String] does.
func (p Parallel) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String returns the number, or auto.
func (p Parallel) String() string {
	if p == ParallelAuto {
		return "auto"
	}
	return strconv.FormatUint(uint64(p), 10)
}

// Settings that are one of a few words are numbers here: the place of the word among the words. The
// first word is the default.
type (
	// OnBusy is what a save does while the same script is running.
	OnBusy uint8
	// OnHelper is what a change of a module does that scripts import.
	OnHelper uint8
	// Preview is what a picture of the scene is made with after each run.
	Preview uint8
	// Notify is which runs the tray tells on the desktop.
	Notify uint8
	// Language is the language of the window and the tray.
	Language uint8
	// Isolation is what a run shares with the runs before it.
	Isolation uint8
	// Leftover is when a process ends that a run has left running, at the latest.
	Leftover uint8
	// OnStop is what becomes of a run that is running when the engine is stopped.
	OnStop uint8
	// When is when a machine executes jobs of a farm.
	When uint8
	// Trust is whose scripts run that are saved in a folder.
	Trust uint8
	// Allow is what agents may do.
	Allow uint8
)

// The values of [Allow].
const (
	AllowAll  Allow = iota // run code and change scenes
	AllowAsk               // the same, each time when a person has allowed it
	AllowRead              // look, and change nothing
)

// The values of [Trust].
const (
	TrustMe     Trust = iota // those that only this user and root can have put there
	TrustAnyone              // those of everybody who may write there
)

// The values of [Leftover].
const (
	LeftoverAuto    Leftover = iota // nothing was chosen, and the next wider setting holds
	LeftoverBlender                 // with its Blender
	LeftoverRun                     // with its run
)

// The values of [Isolation].
const (
	// IsolateAuto: nothing was chosen, and the next wider setting holds.
	IsolateAuto Isolation = iota
	// IsolateProcess: the run has a Blender in which nothing has run.
	IsolateProcess
	// IsolateScene: the run has a scene made anew in a Blender that goes on.
	IsolateScene
	// IsolateKeep: the run finds Blender as the run before has left it.
	IsolateKeep
)

// The values of [OnBusy].
const (
	OnBusyWait OnBusy = iota
	OnBusyCancel
)

// The values of [OnHelper].
const (
	OnHelperRun OnHelper = iota // the scripts run again
	OnHelperAsk                 // the scripts wait for a person
	OnHelperOff
)

// The values of [OnStop].
const (
	OnStopWait    OnStop = iota // the engine lets it end, within a time
	OnStopRequeue               // it is ended, and runs again when the engine starts
)

// The values of [When].
const (
	WhenAlways When = iota
	WhenIdle        // while no person uses the machine
)

// The values of [Preview].
const (
	PreviewOff Preview = iota
	PreviewCycles
	PreviewWorkbench
)

// The values of [Notify].
const (
	NotifyFailures Notify = iota
	NotifyAll
	NotifyOff
)

var (
	onHelperWords = []string{"run", "ask", "off"}
	onBusyWords   = []string{"wait", "cancel"}
	previewWords  = []string{"off", "cycles", "workbench"}
	notifyWords   = []string{"failures", "all", "off"}
	languageWords = []string{"auto", "en", "de", "zh"}

	onStopWords   = []string{"wait", "requeue"}
	whenWords     = []string{"always", "idle"}
	leftoverWords = []string{"auto", "blender", "run"}
	trustWords    = []string{"me", "anyone"}
	allowWords    = []string{"all", "ask", "read"}

	isolationWords = []string{"auto", "process", "scene", "keep"}
)

// Words returns the words that may be written, the default first.
func (OnBusy) Words() []string { return slices.Clone(onBusyWords) }

// Words returns the words that may be written, the default first.
func (OnHelper) Words() []string { return slices.Clone(onHelperWords) }

// Words returns the words that may be written, the default first.
func (Preview) Words() []string { return slices.Clone(previewWords) }

// Words returns the words that may be written, the default first.
func (Language) Words() []string { return slices.Clone(languageWords) }

// Words returns the words that may be written, the default first.
func (Notify) Words() []string { return slices.Clone(notifyWords) }

// Words returns the words that may be written, the default first.
func (Leftover) Words() []string { return slices.Clone(leftoverWords) }

// String returns the word.
func (l Leftover) String() string { return leftoverWords[l] }

// MarshalText writes the word.
func (l Leftover) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (l *Leftover) UnmarshalText(text []byte) error { return unmarshalWord(l, leftoverWords, text) }

// Or returns the choice, or where nothing was chosen the standard, or [LeftoverBlender].
func (l Leftover) Or(standard Leftover) Leftover { return cmp.Or(l, standard, LeftoverBlender) }

// Words returns the words that may be written, the default first.
func (OnStop) Words() []string { return slices.Clone(onStopWords) }

// String returns the word.
func (o OnStop) String() string { return onStopWords[o] }

// MarshalText writes the word.
func (o OnStop) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (o *OnStop) UnmarshalText(text []byte) error { return unmarshalWord(o, onStopWords, text) }

// Words returns the words that may be written, the default first.
func (When) Words() []string { return slices.Clone(whenWords) }

// String returns the word.
func (w When) String() string { return whenWords[w] }

// MarshalText writes the word.
func (w When) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (w *When) UnmarshalText(text []byte) error { return unmarshalWord(w, whenWords, text) }

// Words returns the words that may be written, the default first.
func (Trust) Words() []string { return slices.Clone(trustWords) }

// String returns the word.
func (t Trust) String() string { return trustWords[t] }

// MarshalText writes the word.
func (t Trust) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (t *Trust) UnmarshalText(text []byte) error { return unmarshalWord(t, trustWords, text) }

// Words returns the words that may be written, the default first.
func (Allow) Words() []string { return slices.Clone(allowWords) }

// String returns the word.
func (a Allow) String() string { return allowWords[a] }

// MarshalText writes the word.
func (a Allow) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (a *Allow) UnmarshalText(text []byte) error { return unmarshalWord(a, allowWords, text) }

// Words returns the words that may be written, the default first.
func (Isolation) Words() []string { return slices.Clone(isolationWords) }

// String returns the word.
func (i Isolation) String() string { return isolationWords[i] }

// MarshalText writes the word.
func (i Isolation) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (i *Isolation) UnmarshalText(text []byte) error { return unmarshalWord(i, isolationWords, text) }

// String returns the word.
func (o OnBusy) String() string { return onBusyWords[o] }

func (o OnHelper) String() string { return onHelperWords[o] }

// String returns the word.
func (p Preview) String() string { return previewWords[p] }

// String returns the word: "auto" for the system's language, or a language.
func (l Language) String() string { return languageWords[l] }

// MarshalText writes the word.
func (l Language) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (l *Language) UnmarshalText(text []byte) error { return unmarshalWord(l, languageWords, text) }

// String returns the word.
func (n Notify) String() string { return notifyWords[n] }

// MarshalText writes the word.
func (o OnBusy) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// MarshalText writes the word.
func (p Preview) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalText writes the word.
func (n Notify) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads the word. It fails for any other.
func (o *OnBusy) UnmarshalText(text []byte) error { return unmarshalWord(o, onBusyWords, text) }

// UnmarshalText reads "run", "ask" or "off".
func (o *OnHelper) UnmarshalText(text []byte) error { return unmarshalWord(o, onHelperWords, text) }

// UnmarshalText reads the word. It fails for any other.
func (p *Preview) UnmarshalText(text []byte) error { return unmarshalWord(p, previewWords, text) }

// UnmarshalText reads the word. It fails for any other.
func (n *Notify) UnmarshalText(text []byte) error { return unmarshalWord(n, notifyWords, text) }

// unmarshalWord sets v to the place of a text among words.
func unmarshalWord[T ~uint8](v *T, words []string, text []byte) error {
	i := slices.Index(words, string(text))
	if i < 0 {
		return fmt.Errorf("%q is not one of \"%s\"", text, strings.Join(words, "\", \""))
	}
	*v = T(i)
	return nil
}
