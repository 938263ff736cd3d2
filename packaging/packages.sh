#!/bin/sh
# packages.sh: .deb and .rpm of this commit into $OUT/packages, byte for byte
# the same wherever and whenever they are built with the same Go.
#   VERSION  of the package      NFPM  the pinned packager
#   TAGS     extra build tags    OUT   build directory, default build
# Prints the paths of the packages.
set -eu
cd "$(dirname "$0")/.."

export OUT="${OUT:-build}"
export VERSION="${VERSION:-0.1.0}"
export LC_ALL=C TZ=UTC
# Every time stamp in the packages; the checkout's own times say nothing.
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1767225600)}"
export SOURCE_DATE_EPOCH
GOARCH=$(go env GOARCH)
export GOARCH
umask 022

packaging/build.sh

# Man pages and completions. The generator runs here, whatever GOARCH says.
rm -rf "$OUT/man" "$OUT/completions"
mkdir -p "$OUT/man" "$OUT/packages"
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
env -u GOARCH -u GOOS go run ./packaging/gen -out "$OUT" -version "$VERSION" -date "$SOURCE_DATE_EPOCH"
for page in packaging/man/*; do
    sed "s/@DATE@/$date/; s/@VERSION@/$VERSION/" "$page" >"$OUT/man/${page##*/}"
done
# -n: neither name nor time in the header.
gzip -9n "$OUT"/man/*

# The licences of all that is linked in.
{
    printf 'Go\n\n'
    cat "$(go env GOROOT)/LICENSE"
    go list -deps -f '{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/... |
        sort -u | while read -r module version dir; do
        printf '\n\n%s %s\n\n' "$module" "$version"
        cat "$dir"/LICENSE* "$dir"/COPYING* 2>/dev/null || true
    done
} | gzip -9n >"$OUT/THIRD-PARTY-LICENSES.gz"

cat >"$OUT/changelog.yaml" <<EOF
- semver: $VERSION-1
  date: $(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
  packager: The Clauster authors <clauster@localhost.localdomain>
  deb:
    urgency: medium
    distributions: [unstable]
  changes:
    - note: "Version $VERSION; what changed is in CHANGELOG.md of the source"
EOF

for page in README.md docs/*.md docs/decisions/*.md CHANGELOG.md; do
    case $page in CHANGELOG.md) to=docs/$page ;; *) to=$page ;; esac
    echo "  - {src: $page, dst: /usr/share/doc/clauster/$to, type: doc, file_info: {mode: 0644}, packager: rpm}"
done >"$OUT/docs.yaml"

# nfpm expands variables in some places and not in others.
sed "/# RPM-DOCS/r $OUT/docs.yaml
s|\${OUT}|$OUT|g; s|\${VERSION}|$VERSION|g; s|\${GOARCH}|$GOARCH|g" packaging/nfpm.yaml >"$OUT/nfpm.yaml"
# Aside first: a build that fails leaves the packages of the last one.
new=$(mktemp -d "$OUT/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
for packager in deb rpm; do
    "${NFPM:-build/tools/nfpm-v2.45.0}" package --config "$OUT/nfpm.yaml" \
        --packager "$packager" --target "$new/" >"$OUT/nfpm.log" 2>&1 || {
        cat "$OUT/nfpm.log" >&2
        exit 1
    }
done
for file in "$new"/*; do
    mv "$file" "$OUT/packages/"
    echo "$OUT/packages/${file##*/}"
done
