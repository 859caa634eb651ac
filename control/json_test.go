package control

import (
	"testing"

	"blendtray/api"
)

func TestTextIsTakenAsItWasWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"text":"\ud83d\ude00 \\ud83d \u00e9 é \\\"\n"}`: "😀 \\ud83d é é \\\"\n",
		`{"text":"\\\\ud83d"}`:                            `\\ud83d`,
		`{"text":"\uD83D\uDE00\ud83d\ude00"}`:             "😀😀",
	} {
		var in submission
		if err := unmarshalStrict([]byte(text), &in); err != nil || in.Text == nil || *in.Text != want {
			t.Errorf("%s is %v, %v", text, in.Text, err)
		}
	}
}

func TestAFieldIsNeitherPassedOverNorChanged(t *testing.T) {
	t.Parallel()
	type inner struct {
		Text string `json:"text"`
	}
	type outer struct {
		Limits api.Limits       `json:"limits"`
		List   []inner          `json:"list"`
		Map    map[string]inner `json:"map"`
		At     *inner           `json:"at"`
	}
	for text, want := range map[string]string{
		`{"limits":{"max_memory":1000,"MAX_MEMORY":0}}`:   `limits: unknown field "MAX_MEMORY"`,
		`{"limits":{"max_memory":1000,"max_memory":0}}`:   `limits: the field "max_memory" is there twice`,
		`{"limits":{"max_memory":1000}, "limits":{}}`:     `the field "limits" is there twice`,
		`{"list":[{"text":""},{"Text":""}]}`:              `list: unknown field "Text"`,
		`{"map":{"a":{"text":"","text":""}}}`:             `map: a: the field "text" is there twice`,
		`{"at":{"TEXT":""}}`:                              `at: unknown field "TEXT"`,
		`{"limits":null,"list":null,"map":null,"at":{} }`: "",
		`{"limits": {"max_memory": 1000, "nice": 3}}`:     "",
		`{"list":[{"text":"x"},null],"map":{"A":{}}}`:     "",
	} {
		if err := unmarshalStrict([]byte(text), &outer{}); err == nil != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAValueThatIsWrongIsToldInPlainWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                           "it is empty, and should be a JSON object",
		`{"text":1}`:                 "text: it should be a text, and is of the type number",
		`{"args":"x"}`:               "args: it should be an array, and is of the type string",
		`{"limits":{"nice":"much"}}`: "limits.nice: it should be a whole number, and is of the type string",
		`{"echo":"yes"}`:             "echo: it should be true or false, and is of the type string",
		`{"code":"(("}`:              "a text in base64 has a character at 0 that is none of base64",
		`{"isolation":"much"}`:       `isolation: "much" is not one of "auto", "process", "scene", "keep"`,
	} {
		if err := unmarshalStrict([]byte(text), &submission{}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
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
