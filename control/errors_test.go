package control

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"blendtray/api"
)

// named are the errors of api by their names there.
var named = map[string]error{
	"ErrNotFound": api.ErrNotFound, "ErrEnded": api.ErrEnded, "ErrNotEnded": api.ErrNotEnded, "ErrStopping": api.ErrStopping,
	"ErrBad": api.ErrBad, "ErrTooLarge": api.ErrTooLarge, "ErrNoBlender": api.ErrNoBlender, "ErrNoSession": api.ErrNoSession,
	"ErrSession": api.ErrSession, "ErrNoSetting": api.ErrNoSetting, "ErrFixed": api.ErrFixed, "ErrSettingsBroken": api.ErrSettingsBroken,
	"ErrStorage": api.ErrStorage, "ErrBusy": api.ErrBusy, "ErrSceneGone": api.ErrSceneGone, "ErrNoScene": api.ErrNoScene, "ErrNoThumbnail": api.ErrNoThumbnail,
}

// A client decides by the errors of api, as if the engine were in its own process.
func TestEveryErrorOfTheEngineIsTheSameErrorForAClient(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../api/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Err") {
			declared = append(declared, spec.Names[0].Name)
		}
		return true
	})
	if len(declared) < len(named) {
		t.Errorf("only %d errors are declared: the test reads the wrong file", len(declared))
	}
	for _, name := range declared {
		engines := named[name]
		if engines == nil {
			t.Errorf("api.%s is not in this test", name)
			continue
		}
		fake := newFake()
		fake.submitErr = fmt.Errorf("%w: because", engines)
		_, c := serve(t, fake)
		_, err := c.Submit(t.Context(), api.Submission{Code: []byte("1")})
		var refused *Error
		if !errors.Is(err, engines) || !errors.As(err, &refused) || !strings.Contains(err.Error(), "because") {
			t.Errorf("api.%s comes as %v", name, err)
			continue
		}
		for other, kind := range named {
			if kind != engines && errors.Is(err, kind) && refused.Code != CodeConflict && refused.Code != CodeNotFound {
				t.Errorf("api.%s is also api.%s for a client", name, other)
			}
		}
	}
}
