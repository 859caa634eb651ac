package blender

import (
	"encoding/json"
	"reflect"
	"testing"
)

const (
	plainStarted  = `{"type":"started","id":"abc-123","time":1764300000.25}`
	plainFinished = `{"type":"finished","id":"abc-123","state":"succeeded","exit_code":0,"seconds":2.5e-05,"error":null,"result":null,"outputs":[],"imports":[],"recycle":false}`
)

func TestTheUsualFramesAreReadWithoutReflection(t *testing.T) {
	t.Parallel()
	for _, text := range []string{plainStarted, plainFinished, `{"type":"preparing","id":"a"}`, `{"type":"started","id":"a","time":17643000001}`} {
		if in, ok := parsePlain([]byte(text)); !ok || in.Type == "" || in.ID == "" {
			t.Errorf("%s is read as %+v, %v", text, in, ok)
		}
	}
}

func TestOtherFramesAreLeftToTheJSONPackage(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "{", "{}", "null", `{"type"`, `{"type":`, `{"type":"started"`, `{"type":"started",`, `{"type":"started"}}`, `{"type":"started"} `,
		`{"type":"started","id":"a\u0062"}`, `{"type":"started","id":"ä"}`, `{"type":"started","new":1}`, `{"type":"error","id":"a"}`,
		`{"type":"finished","id":"a","state":"failed","error":{"type":"E"}}`, `{"type":"finished","result":[1,2]}`, `{"type":"finished","outputs":["a"]}`,
		`{"type":"finished","recycle":true}`, `{"type":"finished","exit_code":3}`, `{"Type":"started"}`,
		`{"type":"started","time":}`, `{"type":"started","time":1.}`, `{"type":"started","time":.5}`, `{"type":"started","time":01}`,
		`{"type":"started","time":1e}`, `{"type":"started","time":0x1}`, `{"type":"started","time":1_0}`, `{"type":"started","time":1e+-1}`,
		`{"type":"started","time":NaN}`, `{"type":"started","time":1e999}`, `{"type":"started","time":null}`,
	} {
		if in, ok := parsePlain([]byte(text)); ok {
			t.Errorf("%s is read as %+v", text, in)
		}
	}
}

// FuzzPlainFrame looks for a frame that is not read as encoding/json reads it.
func FuzzPlainFrame(f *testing.F) {
	for _, text := range []string{plainStarted, plainFinished, `{"type":"preparing","id":"a","id":"b"}`, `{"type":"finished","seconds":0,"outputs":[],"result":null,"result":null}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, ok := parsePlain(frame)
		if !ok {
			return
		}
		var want incoming
		if err := json.Unmarshal(frame, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v, and encoding/json says %+v, %v", frame, got, want, err)
		}
	})
}

// BenchmarkReadFrames is the reading of the frames of a short run.
func BenchmarkReadFrames(b *testing.B) {
	for name, read := range map[string]func([]byte) bool{
		"plain": func(frame []byte) bool { _, ok := parsePlain(frame); return ok },
		"json":  func(frame []byte) bool { var in incoming; return json.Unmarshal(frame, &in) == nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !read([]byte(plainStarted)) || !read([]byte(plainFinished)) {
					b.Fatal("not read")
				}
			}
		})
	}
}
