# shellcheck shell=bash
# What scripts that run a part of the tests have in common. It is sourced.

# in_files FILE… prints a pattern for the tests in some files of tests.
in_files() {
	printf '^(%s)$' "$(sed -n 's/^func \(Test[A-Za-z0-9]*\)(.*/\1/p' "$@" | paste -sd '|')"
}
