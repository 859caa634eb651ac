package syntax

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
)

// The words are those of Python 3.14; older versions lack a few. The soft keywords match, case and type are
// names nearly everywhere and have no colour.
var (
	keywords = strings.Fields(`
		and as assert async await break class continue def del elif else except finally for from global if
		import in is lambda nonlocal not or pass raise return try while with yield
	`)
	constants = strings.Fields("True False None self cls")
	builtins  = strings.Fields(`
		Ellipsis NotImplemented abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable
		chr classmethod compile complex delattr dict dir divmod enumerate eval exec filter float format
		frozenset getattr globals hasattr hash help hex id input int isinstance issubclass iter len list
		locals map max memoryview min next object oct open ord pow print property range repr reversed round
		set setattr slice sorted staticmethod str sum super tuple type vars zip exit quit __import__
		__name__ __file__
	`)
	exceptions = strings.Fields(`
		ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError
		BrokenPipeError BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError
		ConnectionRefusedError ConnectionResetError DeprecationWarning EOFError EncodingWarning
		EnvironmentError Exception ExceptionGroup FileExistsError FileNotFoundError FloatingPointError
		FutureWarning GeneratorExit IOError ImportError ImportWarning IndentationError IndexError
		InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError
		ModuleNotFoundError NameError NotADirectoryError NotImplementedError OSError OverflowError
		PendingDeprecationWarning PermissionError ProcessLookupError RecursionError ReferenceError
		ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError
		SyntaxWarning SystemError SystemExit TabError TimeoutError TypeError UnboundLocalError
		UnicodeDecodeError UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning
		ValueError Warning ZeroDivisionError
	`)
)

// quotes are the quotes of strings, the longer ones first.
var quotes = []string{`"""`, `'''`, `"`, `'`}

// pythonRules returns the rules by which chroma finds the parts of Python code, from Python's own
// description of its lexical analysis. Chroma has rules for Python, too, but its package of lexers reads the
// rules of 250 languages whenever a program begins that has it.
func pythonRules() chroma.Rules {
	const name = `[^\W\d]\w*`
	const digits = `\d(?:_?\d)*`
	root := []chroma.Rule{
		{Pattern: `\\?\n|[^\S\n]+`, Type: chroma.TextWhitespace},
		{Pattern: `#.*`, Type: chroma.Comment},
		{Pattern: `(?<=^[ \t]*)@[ \t]*` + name + `(?:\.` + name + `)*`, Type: chroma.NameDecorator},
		{Pattern: `\b(def|class)([ \t]+)(` + name + `)`, Type: chroma.ByGroups(chroma.Keyword, chroma.TextWhitespace, chroma.NameFunction)},
		{Pattern: `0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+`, Type: chroma.LiteralNumber},
		{Pattern: `(?:` + digits + `(?:\.(?:` + digits + `)?)?|\.` + digits + `)(?:[eE][+-]?` + digits + `)?[jJ]?`, Type: chroma.LiteralNumber},
	}
	rules := chroma.Rules{}
	for _, quote := range quotes {
		for state, prefix := range map[string]string{
			"plain": `[uUbB]?`, "raw": `[rR][bB]?|[bB][rR]`, "filled": `[fFtT]`, "filled raw": `[fFtT][rR]|[rR][fFtT]`,
		} {
			state += " " + quote
			root = append(root, chroma.Rule{
				Pattern: `(` + prefix + `)(` + quote + `)`,
				Type:    chroma.ByGroups(chroma.LiteralStringAffix, chroma.LiteralString),
				Mutator: chroma.Push(state),
			})
			rules[state] = inString(state, quote)
		}
	}
	words := func(of []string, t chroma.TokenType) chroma.Rule {
		return chroma.Rule{Pattern: `(?<![.\w])(?:` + strings.Join(of, "|") + `)\b`, Type: t}
	}
	root = append(
		root,
		words(keywords, chroma.Keyword),
		words(constants, chroma.KeywordConstant),
		words(builtins, chroma.NameBuiltin),
		words(exceptions, chroma.NameException),
		chroma.Rule{Pattern: name, Type: chroma.Name},
		chroma.Rule{Pattern: `.`, Type: chroma.Text},
	)
	rules["root"] = root
	// What is filled in, between braces, to the end, the conversion or the format.
	rules["field"] = append([]chroma.Rule{
		{Pattern: `\}`, Type: chroma.LiteralStringInterpol, Mutator: chroma.Pop(1)},
		{Pattern: `![rsa](?=[:}])`, Type: chroma.LiteralStringInterpol},
		{Pattern: `:`, Type: chroma.LiteralStringInterpol, Mutator: chroma.Push("format")},
		{Pattern: `[(\[{]`, Type: chroma.Text, Mutator: chroma.Push("nested")},
	}, root...)
	rules["nested"] = append([]chroma.Rule{
		{Pattern: `[)\]}]`, Type: chroma.Text, Mutator: chroma.Pop(1)},
		{Pattern: `[(\[{]`, Type: chroma.Text, Mutator: chroma.Push("nested")},
	}, root...)
	rules["format"] = []chroma.Rule{
		{Pattern: `\}`, Type: chroma.LiteralStringInterpol, Mutator: chroma.Pop(2)},
		{Pattern: `\{`, Type: chroma.LiteralStringInterpol, Mutator: chroma.Push("field")},
		{Pattern: `\n`, Type: chroma.TextWhitespace, Mutator: chroma.Pop(2)},
		{Pattern: `[^{}\n]+`, Type: chroma.LiteralString},
	}
	return rules
}

// inString returns the rules within a string that ends with a quote. state names the kind of string.
func inString(state, quote string) []chroma.Rule {
	escape, fields := chroma.LiteralStringEscape, strings.HasPrefix(state, "filled")
	if strings.Contains(state, "raw") {
		escape = chroma.LiteralString
	}
	rules := []chroma.Rule{
		{Pattern: quote, Type: chroma.LiteralString, Mutator: chroma.Pop(1)},
		{Pattern: `\\(?:N\{[^}\n]*\}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.|\n)`, Type: escape},
	}
	if len(quote) == 1 {
		rules = append(rules, chroma.Rule{Pattern: `\n`, Type: chroma.TextWhitespace, Mutator: chroma.Pop(1)}) // its quote is missing
	}
	if fields {
		rules = append(
			rules,
			chroma.Rule{Pattern: `\{\{|\}\}`, Type: chroma.LiteralStringEscape},
			chroma.Rule{Pattern: `\{`, Type: chroma.LiteralStringInterpol, Mutator: chroma.Push("field")},
		)
	}
	return append(
		rules,
		chroma.Rule{Pattern: `[^\\{}\n"']+`, Type: chroma.LiteralString},
		chroma.Rule{Pattern: `[\s\S]`, Type: chroma.LiteralString},
	)
}
