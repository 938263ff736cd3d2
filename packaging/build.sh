#!/bin/sh
# build.sh: the static binaries, byte for byte the same from the same commit
# on any machine with the same Go.
#   VERSION  of the package      TAGS  extra build tags      OUT  target directory
set -eu
cd "$(dirname "$0")/.."

out=${OUT:-build}
mkdir -p "$out/bin"
for command in clauster-keeper clauster-ctl clauster-api; do
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags "${TAGS:-}" \
        -ldflags "-s -w -buildid= -X main.version=${VERSION:-0.1.0}" \
        -o "$out/bin/$command" "./cmd/$command"
done
