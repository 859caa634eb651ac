#!/usr/bin/env bash
# Makes the program for macOS, signs it with a certificate that it makes for that, and looks at the signatures for
# both kinds of Macs. cargo builds rcodesign once, into build/rcodesign.
#
# Usage: scripts/check-macos.sh
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'check-macos: %s\n' "$*" >&2; }

RCODESIGN=$PWD/build/rcodesign/bin/rcodesign
export RCODESIGN
work=$PWD/build/check-macos
rm -rf "$work"
mkdir -p "$work"
if [ ! -x "$RCODESIGN" ]; then
	if ! command -v cargo >/dev/null; then
		say "NOT TESTED: there is no cargo 1.81 or later, which builds rcodesign; https://rustup.rs has it"
		exit 0
	fi
	# Without what speaks to Apple: to send the program to the notary is a step of its own.
	CARGO_TARGET_DIR=$work/cargo cargo install apple-codesign --version 0.29.0 --locked --no-default-features \
		--root build/rcodesign
	rm -rf "$work/cargo"
fi

echo secret >"$work/password"
"$RCODESIGN" generate-self-signed-certificate --algorithm rsa --person-name Test --team-id ABCDEFGHIJ \
	--country-name DE --p12-file "$work/test.p12" --p12-password secret
MACOS_P12=$work/test.p12 MACOS_P12_PASSWORD=$work/password MACOS_TIMESTAMP=none scripts/package.sh macos
tar -C "$work" --strip-components=1 -xzf build/packages/blendtray-*-macos-headless.tar.gz
"$RCODESIGN" verify "$work/blendtray"
"$RCODESIGN" print-signature-info "$work/blendtray" >"$work/signatures"
for line in 'flags: CodeSignatureFlags(RUNTIME)' 'identifier: org.blendtray.blendtray' 'signature_verifies: true'; do
	if [ "$(grep -c "^ *$line\$" "$work/signatures")" != 2 ]; then
		say "not in both signatures: $line"
		exit 1
	fi
done
# The check above must see that a program was changed.
printf blendtray | dd of="$work/blendtray" bs=1 seek=3000000 conv=notrunc status=none
if "$RCODESIGN" verify "$work/blendtray"; then
	say "the signature of a changed program counts as good"
	exit 1
fi
rm -rf "$work" build/packages/blendtray-*-macos-headless.tar.gz build/packages/blendtray.rb # nobody is to publish these
