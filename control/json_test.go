package control

import (
	"fmt"
	"reflect"
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

func TestPlainSubmissionsAreReadAsAllOthers(t *testing.T) {
	t.Parallel()
	for text, plain := range map[string]bool{
		`{"text":"x = 1","session":"bench"}`:                                     true,
		" {\t\"text\" : \"a\\\"}\\u00e9,\" ,\"echo\":true\r\n, \"pid\": -7 } \n": true,
		`{"code":"eCA9IDE="}`:                                                    true,
		`{"text":"x","leftover":"never"}`:                                        true,
		`{"text":"x","leftover":"nonsense"}`:                                     true, // fails in both
		`{"text":"x","pid":1.5}`:                                                 true,
		`{"text":"x","pid":01}`:                                                  true,
		`{"text":"x","pid":1 2}`:                                                 true,
		`{"text":"x","echo":tru}`:                                                true,
		`{"text":1}`:                                                             true,
		`{"text":"\x"}`:                                                          true,
		`{}`:                                                                     false,
		``:                                                                       false,
		`{`:                                                                      false,
		`[]`:                                                                     false,
		`{"text"}`:                                                               false,
		`{"text":`:                                                               false,
		`{"text":"x`:                                                             false,
		`{"text":"x"`:                                                            false,
		`{"text":"x",}`:                                                          false,
		`{"text":"x"}}`:                                                          false,
		`{"text":"x"} {"text":"y"}`:                                              false,
		`{"text":"x","text":"y"}`:                                                false,
		`{"text":"x","\u0074ext":"y"}`:                                           false,
		`{"Text":"x"}`:                                                           false,
		`{"unknown":1}`:                                                          false,
		`{"-":1}`:                                                                false,
		`{"":1}`:                                                                 false,
		`{"text":null}`:                                                          false,
		`{"text":"x","args":["a"]}`:                                              false,
		`{"text":"x","limits":{"nice":1}}`:                                       false,
		`{"text":"x","limits":{"nice":1,"nice":2}}`: false,
		`{"text":"x","render":{"frames":"1-3"}}`:    false,
	} {
		if got := isPlain([]byte(text), fieldTypes(reflect.TypeFor[submission]())); got != plain {
			t.Errorf("%s is plain: %v", text, got)
		}
		var got, want submission
		err, wantErr := unmarshalStrict([]byte(text), &got), unmarshalFields([]byte(text), reflect.TypeFor[submission](), &want)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, %v, want %+v, %v", text, got, err, want, wantErr)
		}
	}
}
