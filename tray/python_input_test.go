//go:build !headless

package tray

import "testing"

func TestEnterRunsWhatIsCompleteAndIndentsWhatIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   string
		runs   bool
		indent string
	}{
		{"x = 1", true, ""},
		{"", true, ""},
		{"print('a: b')", true, ""},
		{"x[1:]", true, ""},
		{"lambda: 1", true, ""},
		{"x = {1: 2}", true, ""},
		{"# a comment:", true, ""},
		{"x  # if:", true, ""},
		{"for i in range(3):", false, "    "},
		{"for i in range(3):  # so", false, "    "},
		{"for i in range(3):\n    print(i)", false, "    "},
		{"for i in range(3):\n    print(i)\n", true, ""},
		{"for i in range(3):\n    print(i)\n    ", true, "    "},
		{"for i in range(3):\n    print(i)\nx", true, ""},
		{"for i in range(3): print(i)", false, ""},
		{"for i in range(3): print(i)\n", true, ""},
		{"for i in range(3):\n", false, ""},
		{"for i in range(3):\n    ", false, "    "},
		{"def f():\n    # nothing yet", false, "    "},
		{"def f():\n    if x:", false, "        "},
		{"def f():\n    if x:\n        return 1", false, "    "},
		{"def f():\n    pass", false, ""},
		{"def f():\n    passage = 1", false, "    "},
		{"def f():\n\tx = 1\n\tif x:", false, "\t\t"},
		{"def f():\n\treturn", false, ""},
		{"@cached", false, ""},
		{"class A:", false, "    "},
		{"async def f():", false, "    "},
		{"classes = 1", true, ""},
		{"match x:", false, "    "},
		{"try:\n    f()\nexcept KeyError:", false, "    "},
		{"if x:\n    f()\nelse:\n    g()", false, "    "},
		{"print(", false, "    "},
		{"print(1,\n      2,", false, "      "},
		{"print(1,\n    [", false, "        "},
		{"x = {", false, "    "},
		{"x = {\n    'a': 1,", false, "    "},
		{"x = {\n    'a': 1,\n", false, ""},
		{"x = (1,\n2)", true, ""},
		{"if (a and\n        b):", false, "    "},
		{"x = )", true, ""},
		{"x = '(", true, ""},
		{"x = '(\ny", true, ""},
		{"x = '\\'('", true, ""},
		{"x = \"#\" + (", false, "    "},
		{"x = '''", false, ""},
		{"x = '''a\n    b", false, ""},
		{"x = '''a\n'''", true, ""},
		{"x = \"\"\"a'''\n", false, ""},
		{"x = ''", true, ""},
		{"x = 1 + \\", false, "    "},
		{"x = 1 + \\\n    2 + \\", false, "    "},
		{"x = 1 + \\\n    2", true, ""},
		{"größe = ['日本", true, ""},
		{"x = 'a\\", false, ""},
		{"größe = ['日本',", false, "    "},
	} {
		if runs, indent := afterEnter(c.code); runs != c.runs || !runs && indent != c.indent {
			t.Errorf("%q: runs %v, indent %q; want %v, %q", c.code, runs, indent, c.runs, c.indent)
		}
	}
}

func TestCodeIsPromptedAsInTheInterpreter(t *testing.T) {
	t.Parallel()
	if got, want := prompted("if x:\n    y\n\n"), "\x1b[36m>>> \x1b[0mif x:\n\x1b[36m... \x1b[0m    y\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
