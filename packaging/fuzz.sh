#!/bin/sh
# fuzz.sh: every fuzz target of the repository, FUZZTIME each, one after the
# other. A finding is written by go to testdata/fuzz: commit it with the fix.
set -eu
cd "$(dirname "$0")/.."

targets=$(grep -rl --include='*_test.go' '^func Fuzz' pkg cmd test packaging || true)
if [ -z "$targets" ]; then
    echo "no fuzz targets" >&2
    exit 1
fi
for file in $targets; do
    sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
        echo "== $(dirname "$file") $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "./$(dirname "$file")"
    done
done
