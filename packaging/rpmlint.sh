#!/bin/sh
# rpmlint.sh RPM…: rpmlint with our filters, unable to write anywhere.
#
# The scar: rpmlint unpacks with plain «cpio -id», the names in an nfpm payload
# are absolute, and so the package was installed onto the host that linted it.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$(dirname "$0")/rpmlint.toml" "$@" "$dir"
chmod -R a+rX "$dir"
run=
if [ "$(id -u)" -eq 0 ]; then
    run="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs"
fi
out=$(cd "$dir" && $run env HOME=/nonexistent rpmlint -c rpmlint.toml ./*.rpm 2>&1) || {
    echo "$out" >&2
    exit 1
}
if echo "$out" | grep -E ': [EW]: ' >&2; then
    exit 1
fi
