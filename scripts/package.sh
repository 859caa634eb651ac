#!/usr/bin/env bash
# Makes the packages, all or some, in build/packages: the same bytes from the same commit.
#
# Usage: scripts/package.sh [deb] [rpm] [tar] [windows] [macos] [source] [mcpb]
# VERSION in the environment is the version; else it is that of app/version.go. RELEASES is the address
# below which the packages of each version will be, for the manifests that name them. With MACOS_P12, a file with a
# certificate and its key, and MACOS_P12_PASSWORD, a file with the password of that, the program for macOS is signed.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/build/go/bin:$PATH # where set-up puts a Go, if it had to
wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=(deb rpm tar windows macos source mcpb)
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
linker="-s -w -X blendtray/app.version=$VERSION"
flags=(-trimpath -ldflags "$linker")
RELEASES=${RELEASES:-https://blendtray.org/releases}
dated() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# The same bytes of a folder each time.
archive() { # PARENT NAME, to standard output
	tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$SOURCE_DATE_EPOCH" -cf - "$2" | gzip -9n
}
# What belongs beside every program: the terms of the libraries in it, and their list.
go build -o "$work/notices" ./packaging/notices
notices() { "$work/notices" -version "$VERSION" -out "$2" "$1"; }
papers() { # PROGRAM FOLDER
	notices "$1" "$work/papers"
	cp "$work/papers/THIRD-PARTY.txt" "$work/papers/blendtray.cdx.json" "$2/"
}
build_headless() { # SYSTEM ARCHITECTURE FILE
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build "${flags[@]}" -tags headless -o "$3" .
}

if wants deb || wants rpm || wants tar; then build_headless linux "$ARCH" "$work/headless/blendtray"; fi

if wants deb || wants rpm; then
	root=$work/root
	share=$root/usr/share
	mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/user" "$share/applications" "$share/metainfo" "$share/man/man1" \
		"$share/doc/blendtray" "$share/bash-completion/completions" \
		"$share/fish/vendor_completions.d" "$share/icons/hicolor/scalable/apps"
	# At another address each time, and with nothing to write to but data.
	go build -trimpath -ldflags "$linker -extldflags=-Wl,-z,relro,-z,now" -buildmode=pie -tags migrated_fynedo -o "$root/usr/bin/blendtray" .
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
	cp README.md CHANGELOG.md "$share/doc/blendtray/"
	notices "$root/usr/bin/blendtray" "$work/papers"
	cp "$work/papers/copyright" "$work/papers/THIRD-PARTY.txt" "$work/papers/blendtray.cdx.json" "$share/doc/blendtray/"
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
		# Debian has the licences in copyright alone.
		case $kind in
		deb) sed '/^license:/d' packaging/nfpm.yaml ;;
		rpm) sed "s/^license:.*/license: $(cat "$work/papers/licences")/" packaging/nfpm.yaml ;;
		esac >"$work/nfpm.yaml"
		"${nfpm[@]}" package --config "$work/nfpm.yaml" --packager $kind --target "$out/" >&2
	done
fi

if wants tar; then
	name=blendtray-$VERSION-linux-$ARCH-headless
	mkdir -p "$work/tar/$name/docs"
	cp "$work/headless/blendtray" LICENSE README.md CHANGELOG.md "$work/tar/$name/"
	papers "$work/headless/blendtray" "$work/tar/$name"
	cp docs/*.md "$work/tar/$name/docs/"
	cp -r examples "$work/tar/$name/examples"
	find "$work/tar/$name/examples" -name '*.go' -delete
	archive "$work/tar" "$name" >"$out/$name.tar.gz"
fi

# What the GPL asks for: everything that the programs are made from, but Go itself.
if wants source; then
	name=blendtray-$VERSION-source
	source=$work/source/$name
	mkdir -p "$source"
	git archive HEAD | tar -C "$source" -xf -
	(cd "$source" && go mod vendor)
	# Go leaves out folders without Go. Their C is part of the programs.
	# shellcheck disable=SC2016 # go list fills it in
	(cd "$source" && go list -mod=mod -m -f '{{if not .Main}}{{.Path}} {{.Dir}}{{end}}' all) | while read -r path dir; do
		if [ -z "$dir" ] || [ ! -d "$source/vendor/$path" ]; then continue; fi
		(cd "$dir" && find . -type f \( -name '*.[chmS]' -o -iname 'licen[sc]e*' -o -iname 'copying*' \) -not -path '*/testdata/*' -print0 |
			tar --null -T - -cf -) | tar -C "$source/vendor/$path" --skip-old-files -xf -
	done
	chmod -R u+w "$source"
	archive "$work/source" "$name" >"$out/$name.tar.gz"
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
	windows_linker="$linker -extldflags=-Wl,--no-insert-timestamp"
	# Two of them, as Python has: one for a console, one that opens none.
	"${build[@]}" -ldflags "$windows_linker" -o "$windows/blendtray.exe" .
	"${build[@]}" -ldflags "$windows_linker -H windowsgui" -o "$windows/blendtrayw.exe" .
	rm -f "$resource"
	windows_papers() { # PROGRAM FOLDER
		papers "$1" "$2"
		sed 's/$/\r/' LICENSE >"$2/LICENSE.txt"
		sed 's/$/\r/' README.md >"$2/README.txt"
		sed -i 's/$/\r/' "$2/THIRD-PARTY.txt"
		dated "$2"
	}
	windows_zip() { # NAME FILE
		rm -f "$out/$2"
		(cd "$work/windows" && find "$1" -type f ! -name app.ico | sort | zip -q -X -9 "$OLDPWD/$out/$2" -@)
	}
	cp assets/ico/app.ico "$windows/"
	windows_papers "$windows/blendtray.exe" "$windows"
	# The C library of the compiler is in the program, too.
	if [ -e /usr/share/doc/mingw-w64-x86-64-dev/copyright ]; then
		sed 's/$/\r/' /usr/share/doc/mingw-w64-x86-64-dev/copyright >"$windows/MINGW-W64.txt"
	else
		echo "https://www.mingw-w64.org has the terms of the C library in the program." >"$windows/MINGW-W64.txt"
	fi
	dated "$windows"
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 go build "${flags[@]}" -o "$work/windows/setup.exe" ./app/setup
	makensis -V2 -DSETUP="$PWD/$work/windows/setup.exe" -DVERSION="$VERSION" -DNUMBERS="$VERSION.0" -DSOURCE="$PWD/$windows" \
		-DOUTPUT="$PWD/$out/blendtray-$VERSION-setup.exe" packaging/windows/installer.nsi >&2
	windows_zip "blendtray-$VERSION" "blendtray-$VERSION-windows-amd64.zip"
	# There is no C compiler for the window on ARM.
	arm=blendtray-$VERSION-arm64
	mkdir -p "$work/windows/$arm"
	build_headless windows arm64 "$work/windows/$arm/blendtray.exe"
	windows_papers "$work/windows/$arm/blendtray.exe" "$work/windows/$arm"
	windows_zip "$arm" "blendtray-$VERSION-windows-arm64-headless.zip"
	python3 packaging/windows/manifests.py "$VERSION" "$RELEASES/$VERSION" "$out"
fi

if wants macos; then
	name=blendtray-$VERSION-macos-headless
	mkdir -p "$work/macos/$name"
	for arch in arm64 amd64; do build_headless darwin $arch "$work/macos/$arch"; done
	lipo=$(command -v lipo llvm-lipo llvm-lipo-{21..14} | head -n 1) || true
	[ -n "$lipo" ] || {
		say "nothing joins the programs for both kinds of Macs; llvm has llvm-lipo"
		exit 1
	}
	"$lipo" -create -output "$work/macos/$name/blendtray" "$work/macos/arm64" "$work/macos/amd64"
	if [ -n "${MACOS_P12-}" ]; then
		# Apple's notary takes a program that is signed with its hardened runtime and a time stamp.
		"${RCODESIGN:-rcodesign}" sign --p12-file "$MACOS_P12" --p12-password-file "$MACOS_P12_PASSWORD" \
			--binary-identifier org.blendtray.blendtray --code-signature-flags runtime \
			--timestamp-url "${MACOS_TIMESTAMP:-http://timestamp.apple.com/ts01}" "$work/macos/$name/blendtray" >&2
	fi
	cp LICENSE README.md CHANGELOG.md "$work/macos/$name/"
	papers "$work/macos/arm64" "$work/macos/$name"
	archive "$work/macos" "$name" >"$out/$name.tar.gz"
	sum=$(sha256sum "$out/$name.tar.gz")
	sed "s|@URL@|$RELEASES/$VERSION/$name.tar.gz|; s/@SUM@/${sum%% *}/; s/@VERSION@/$VERSION/" packaging/macos/blendtray.rb.in >"$out/blendtray.rb"
fi

if wants mcpb; then scripts/mcpb.sh "$out"; fi
(cd "$out" && ls -l >&2)
