package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// unmarshalStrict decodes data, which must be a single JSON value, into v. It fails on an
// unknown field, so that a misspelt field is not ignored silently.
func unmarshalStrict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after its end")
	}
	return nil
}
