#!/bin/sh
# Makes build/packages/Blendtray.app and a disk image of it. It runs on macOS only, with Xcode's
# command line tools, and was written without one at hand: see docs/platforms.md.
#
# Usage: packaging/macos/package.sh
set -eu
cd "$(dirname "$0")/../.."
[ "$(uname -s)" = Darwin ] || {
	echo "package: this runs on macOS only" >&2
	exit 1
}
version=$(sed -n 's/^var version = "\([0-9.]*\).*"$/\1/p' app/version.go)
out=build/packages
mkdir -p "$out" build/macos
for arch in arm64 amd64; do
	CGO_ENABLED=1 GOARCH=$arch go build -trimpath -tags migrated_fynedo \
		-ldflags "-s -w -X blendtray/app.version=$version" -o "build/macos/blendtray-$arch" .
done
lipo -create -output build/macos/blendtray build/macos/blendtray-arm64 build/macos/blendtray-amd64
# FyneApp.toml has its name, icon and version. Its program is exchanged for the one for both
# kinds of Macs.
go run fyne.io/tools/cmd/fyne@v1.7.4 package --target darwin --tags migrated_fynedo --release
rm -rf "$out/Blendtray.app"
mv Blendtray.app "$out/"
cp build/macos/blendtray "$out/Blendtray.app/Contents/MacOS/"
# It lives in the menu bar and has no place in the Dock.
plutil -replace LSUIElement -bool true "$out/Blendtray.app/Contents/Info.plist"
# With a certificate: CODESIGN_IDENTITY="Developer ID Application: …"
codesign --force --options runtime --sign "${CODESIGN_IDENTITY:--}" "$out/Blendtray.app"
hdiutil create -volname Blendtray -srcfolder "$out/Blendtray.app" -ov -format UDZO "$out/blendtray-$version.dmg"
