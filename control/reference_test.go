package control

import (
	"errors"
	"net/http"
	"testing"

	"blendtray/api"
)

func TestAClientAsksForTheAPIByAPathOrByWords(t *testing.T) {
	t.Parallel()
	f := newFake()
	_, c := serve(t, f)
	query := api.ReferenceQuery{Blender: "4.5", Path: `bpy.data.objects["a&b"].location`, Max: 3}
	found, err := c.API(t.Context(), query)
	if err != nil || found.Version != "3.4.1" || len(found.Entries) != 1 || found.Entries[0].Path != query.Path {
		t.Errorf("%+v, %v", found, err)
	}
	if found.Replaced == nil || found.Similar == nil {
		t.Errorf("arrays are null: %+v", found)
	}
	if _, err := c.API(t.Context(), api.ReferenceQuery{Blender: "none", Words: "cube"}); !errors.Is(err, api.ErrNoBlender) {
		t.Errorf("no such Blender: %v", err)
	}
	for _, path := range []string{"/api?n=0&words=a", "/api?n=1001&words=a", "/api?n=x&words=a", "/api?word=a"} {
		var refused *Error
		if _, err := ask[api.Reference](t.Context(), c, http.MethodGet, path, nil); !errors.As(err, &refused) || refused.Code != CodeBadRequest {
			t.Errorf("%s: %v", path, err)
		}
	}
}
