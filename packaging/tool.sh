#!/bin/sh
# tool.sh TARGET MODULE@VERSION: build a pinned tool outside go.mod, so that
# its dependencies never become ours.
set -eu

target=$1
module=$2

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
name=$(basename "${module%@*}")
GOBIN=$dir GOFLAGS=-mod=mod CGO_ENABLED=0 go install "$module"
mkdir -p "$(dirname "$target")"
mv "$dir/$name" "$target"
