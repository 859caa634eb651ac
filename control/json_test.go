package control

import (
	"testing"
)

func TestTextIsTakenAsItWasWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"text":"\ud83d\ude00 \\ud83d \u00e9 é \\\"\n"}`: "😀 \\ud83d é é \\\"\n",
		`{"text":"\\\\ud83d"}`:                            `\\ud83d`,
		`{"text":"\uD83D\uDE00\ud83d\ude00"}`:             "😀😀",
	} {
		var in submission
		if err := unmarshalStrict([]byte(text), &in); err != nil || in.Text != want {
			t.Errorf("%s is %q, %v", text, in.Text, err)
		}
	}
}

func FuzzWhatAClientSendsIsTakenOrRefused(f *testing.F) {
	for _, seed := range []string{`{"text":"x"}`, `{"text":"\ud83d\ude00"}`, `{"text":"\ud83d`, `{"a":{"b":[1,2]},"a":1}`, `\`, `{"\u`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var in submission
		_ = unmarshalStrict(data, &in) // it must not panic
		_ = unmarshalStrict(data, &map[string]any{})
	})
}
