#!/usr/bin/env bash
# Makes the packages, all or some, in build/packages: the same bytes from the same commit.
#
# Usage: scripts/package.sh [deb] [rpm] [tar] [windows] [mcpb]
# VERSION in the environment is the version; else it is that of app/version.go.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(deb rpm tar windows mcpb)
wants() { [[ " ${wanted[*]} " == *" $1 "* ]]; }
say() { printf 'package: %s\n' "$*" >&2; }

# nfpm (MIT) makes .deb and .rpm; later ones need modules that not every mirror has.
nfpm=(go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.1)

VERSION=${VERSION:-$(sed -n 's/^var version = "\([0-9.]*\).*"$/\1/p' app/version.go)}
[[ $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || {
	say "the version $VERSION is not of the form 1.2.3"
	exit 2
}
# Dates are those of the commit, so that they are the same for whoever makes the packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
ARCH=$(go env GOARCH)
DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
export VERSION SOURCE_DATE_EPOCH ARCH DATE TZ=UTC LC_ALL=C
umask 022

work=build/package
out=build/packages
rm -rf "$work"
mkdir -p "$work" "$out"
flags=(-trimpath -ldflags "-s -w -X blendtray/app.version=$VERSION")
dated() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

CGO_ENABLED=0 go build "${flags[@]}" -tags headless -o "$work/headless/blendtray" .

if wants deb || wants rpm; then
	root=$work/root
	share=$root/usr/share
	mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/user" "$share/applications" "$share/metainfo" "$share/man/man1" \
		"$share/doc/blendtray" "$share/bash-completion/completions" \
		"$share/fish/vendor_completions.d" "$share/icons/hicolor/scalable/apps"
	go build "${flags[@]}" -tags migrated_fynedo -o "$root/usr/bin/blendtray" .
	program=$work/headless/blendtray
	"$program" manual | gzip -9n >"$share/man/man1/blendtray.1.gz"
	"$program" completion bash >"$share/bash-completion/completions/blendtray"
	"$program" completion zsh >"$work/_blendtray" # each kind has another place for it
	"$program" completion fish >"$share/fish/vendor_completions.d/blendtray.fish"
	go run ./packaging/unit /usr/bin/blendtray >"$root/usr/lib/systemd/user/blendtray.service"
	cp packaging/linux/org.blendtray.Blendtray.desktop "$share/applications/"
	sed "s/@VERSION@/$VERSION/; s/@DATE@/${DATE%T*}/" packaging/linux/org.blendtray.Blendtray.metainfo.xml \
		>"$share/metainfo/org.blendtray.Blendtray.metainfo.xml"
	cp assets/svg/app.svg "$share/icons/hicolor/scalable/apps/org.blendtray.Blendtray.svg"
	mkdir -p "$share/icons/hicolor/512x512/apps"
	cp assets/png/app.png "$share/icons/hicolor/512x512/apps/org.blendtray.Blendtray.png"
	cp packaging/linux/copyright README.md CHANGELOG.md "$share/doc/blendtray/"
	# The form that Debian wants; what has changed is in CHANGELOG.md.
	printf 'blendtray (%s) unstable; urgency=medium\n\n  * CHANGELOG.md in this folder says what has changed.\n\n -- The Blendtray authors <maintainers@blendtray.org>  %s\n' \
		"$VERSION" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$share/doc/blendtray/changelog.gz"
	mkdir -p "$share/blendtray/flamenco"
	cp packaging/flamenco/*.js "$share/blendtray/flamenco/"
	cp -r examples "$share/doc/blendtray/examples"
	find "$share/doc/blendtray/examples" -name '*.go' -delete
	find "$root" -type f -exec chmod 644 {} +
	chmod 755 "$root/usr/bin/blendtray"
	dated "$work"
	for kind in deb rpm; do
		wants $kind || continue
		"${nfpm[@]}" package --config packaging/nfpm.yaml --packager $kind --target "$out/" >&2
	done
fi

if wants tar; then
	name=blendtray-$VERSION-linux-$ARCH-headless
	mkdir -p "$work/tar/$name/docs"
	cp "$work/headless/blendtray" LICENSE README.md CHANGELOG.md "$work/tar/$name/"
	cp docs/*.md "$work/tar/$name/docs/"
	cp -r examples "$work/tar/$name/examples"
	find "$work/tar/$name/examples" -name '*.go' -delete
	tar -C "$work/tar" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" \
		-cf - "$name" | gzip -9n >"$out/$name.tar.gz"
fi

if wants windows; then
	windows=$work/windows/blendtray-$VERSION
	mkdir -p "$windows"
	numbers=${VERSION//./,},0
	resource=rsrc_windows_amd64.syso
	trap 'rm -f "$resource"' EXIT
	sed "s/@VERSION@/$VERSION/g; s/@NUMBERS@/$numbers/g; s|@ICON@|assets/ico/app.ico|; s|@MANIFEST@|packaging/windows/blendtray.manifest|" \
		packaging/windows/blendtray.rc.in >"$work/blendtray.rc"
	x86_64-w64-mingw32-windres -O coff "$work/blendtray.rc" "$resource"
	build=(env CGO_ENABLED=1 CC=x86_64-w64-mingw32-gcc GOOS=windows GOARCH=amd64 go build -trimpath -tags migrated_fynedo)
	linker="-s -w -X blendtray/app.version=$VERSION -extldflags=-Wl,--no-insert-timestamp"
	# Two of them, as Python has: one for a console, one that opens none.
	"${build[@]}" -ldflags "$linker" -o "$windows/blendtray.exe" .
	"${build[@]}" -ldflags "$linker -H windowsgui" -o "$windows/blendtrayw.exe" .
	rm -f "$resource"
	sed 's/$/\r/' LICENSE >"$windows/LICENSE.txt"
	sed 's/$/\r/' README.md >"$windows/README.txt"
	cp assets/ico/app.ico "$windows/"
	dated "$windows"
	makensis -V2 -DVERSION="$VERSION" -DNUMBERS="$VERSION.0" -DSOURCE="$PWD/$windows" \
		-DOUTPUT="$PWD/$out/blendtray-$VERSION-setup.exe" packaging/windows/installer.nsi >&2
	rm -f "$PWD/$out/blendtray-$VERSION-windows-amd64.zip"
	(cd "$work/windows" && find "blendtray-$VERSION" -type f ! -name app.ico | sort | zip -q -X -9 "$OLDPWD/$out/blendtray-$VERSION-windows-amd64.zip" -@)
fi

if wants mcpb; then scripts/mcpb.sh "$out"; fi
(cd "$out" && ls -l >&2)
