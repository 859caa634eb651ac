package fault

import (
	"errors"
	"fmt"
	"testing"

	"blendtray/control"
)

func TestAnErrorIsExplainedByWhatItWraps(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		err  error
		code int
		hint string
	}{
		{nil, OK, ""},
		{errors.New("it broke"), Failed, ""},
		{New(Config, "edit it", "the settings are wrong"), Config, "edit it"},
		{fmt.Errorf("ask: %w", New(TimedOut, "", "late")), TimedOut, ""},
		{Quietly(Cancelled), Cancelled, ""},
		{fmt.Errorf("%w on /s", control.ErrNoEngine), NoEngine, "start one with `blendtray serve`"},
		{New(Failed, "another hint", "%w", control.ErrNoEngine), Failed, "another hint"},
		{&control.Error{Code: control.CodeConflict, Hint: "too late"}, Failed, "too late"},
		{&control.Error{Code: control.CodeSettings, Hint: "mend it"}, Config, "mend it"},
		{&control.Error{Code: control.CodeBadRequest, Hint: "try 1"}, Usage, "try 1"},
	} {
		if code, hint := Explain(x.err); code != x.code || hint != x.hint {
			t.Errorf("%v: exit code %d and the hint %q, want %d and %q", x.err, code, hint, x.code, x.hint)
		}
	}
}

func TestAFaultKeepsTheErrorThatItWraps(t *testing.T) {
	t.Parallel()
	cause := errors.New("no space")
	err := New(Failed, "", "write it: %w", cause)
	if !errors.Is(err, cause) || err.Error() != "write it: no space" {
		t.Errorf("it is %v", err)
	}
}
