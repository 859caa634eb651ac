package service

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blendtray/app/fault"
)

// declared returns the names of the constants of type Failure.
func declared(t *testing.T) (all []Failure) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "failures.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Failure" {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, Failure(name))
		}
		return true
	})
	return all
}

func TestEveryFailureSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	names := declared(t)
	if len(names) < 30 {
		t.Fatalf("the test has found %d failures only", len(names))
	}
	for _, name := range names {
		n := 0
		for _, e := range explanations {
			if e.failure == name {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is %d times in the list", name, n)
		}
	}
	for _, e := range explanations {
		if !slices.Contains(names, e.failure) {
			t.Errorf("%s is no constant", e.failure)
		}
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(string(e.failure)) {
			t.Errorf("%q is no name", e.failure)
		}
		for what, text := range map[string]string{"says": e.sentence, "hints": e.hint} {
			if text == "" || strings.HasSuffix(text, ".") || strings.ContainsAny(text, "|\n") || strings.Count(text, "`")%2 != 0 {
				t.Errorf("%s %s %q", e.failure, what, text)
			}
		}
	}
}

func TestAFailureIsKnownInItsError(t *testing.T) {
	t.Parallel()
	cause := errors.New("access denied")
	err := Fail(UserUnknown, cause, "user", "ada")
	if err.Error() != "there is no user ada: access denied" {
		t.Errorf("the error says %q", err)
	}
	if !errors.Is(err, UserUnknown) || !errors.Is(err, cause) || errors.Is(err, NotInstalled) {
		t.Errorf("the error is not what it was made of: %v", err)
	}
	if code, hint := fault.Explain(err); code != fault.Failed || !strings.Contains(hint, "useradd --create-home ada`") {
		t.Errorf("exit code %d and the hint %q", code, hint)
	}
	if code, _ := fault.Explain(Fail(NotInstalled, nil)); code != fault.NoEngine {
		t.Errorf("what is not installed ends with exit code %d", code)
	}
}

// All hints of this package come from the list, because only Fail makes an error with a hint.
func TestEveryErrorWithAHintIsAFailureWithAName(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "failures.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "fault.New(") {
			t.Errorf("%s makes an error without a name", file)
		}
	}
}

func TestASpecThatCanBeNoServiceIsRefused(t *testing.T) {
	t.Setenv("SUDO_USER", "ada")
	for _, x := range []struct {
		spec       Spec
		installing bool
		want       error
		hint       string
	}{
		{Spec{}, true, nil, ""},
		{Spec{System: true, User: "ada"}, true, nil, ""},
		{Spec{System: true, User: "render-1.x$"}, true, nil, ""},
		{Spec{System: true}, false, nil, ""},
		{Spec{User: "ada"}, false, UserWithoutSystem, "add --system"},
		{Spec{System: true, User: "../x"}, false, BadUserName, "letters"},
		{Spec{System: true, User: "-x"}, true, BadUserName, "letters"},
		{Spec{System: true}, true, NoUserNamed, "--user ada`"},
	} {
		err := x.spec.Check(x.installing)
		if x.want == nil && err != nil || x.want != nil && !errors.Is(err, x.want) {
			t.Errorf("%+v: %v, want %v", x.spec, err, x.want)
		}
		if _, hint := fault.Explain(err); !strings.Contains(hint, x.hint) {
			t.Errorf("%+v: the hint is %q", x.spec, hint)
		}
	}
	temporary := Spec{}
	temporary.Program.Path = "/tmp/go-build1/exe/blendtray"
	if err := temporary.Check(true); !errors.Is(err, TemporaryProgram) {
		t.Errorf("of a temporary program: %v", err)
	}
	if err := temporary.Check(false); err != nil {
		t.Errorf("a temporary program can't ask for the status: %v", err)
	}
}

func TestAStatusWarnsOfWhatAPersonMayNotExpect(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, x := range []struct {
		status Status
		want   Failure
	}{
		{Status{Enabled: true}, ""},
		{Status{Enabled: true, Lingering: &yes}, ""},
		{Status{Enabled: true, Lingering: &no}, NotLingering},
		{Status{Lingering: &no}, NotEnabled},
	} {
		if got := x.status.Warning(); got != x.want {
			t.Errorf("%+v warns of %q, want %q", x.status, got, x.want)
		}
	}
}
