# shellcheck shell=bash
# What scripts that run a part of the tests have in common. It is sourced.

# in_files FILE… prints a pattern for the tests in some files of tests.
in_files() {
	printf '^(%s)$' "$(sed -n 's/^func \(Test[A-Za-z0-9]*\)(.*/\1/p' "$@" | paste -sd '|')"
}

# gotestsum ARG… runs gotestsum, by its path: `go tool` ends with 0 when a signal has ended the tool.
gotestsum() { go tool gotestsum --version >/dev/null && "$(go tool -n gotestsum)" "$@"; }
