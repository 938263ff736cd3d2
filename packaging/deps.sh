#!/bin/sh
# deps.sh: the Debian packages that building, linting and testing need on a
# machine that has only Go, git and make. Asks nothing; costs milliseconds when
# all are there.
set -eu
cd "$(dirname "$0")/.."

# gcc: the race detector. man-db: systemd-analyze verify looks the
# Documentation= pages up. dbus, policykit: what the units are checked against.
exec test/machine/deps.sh gcc libc6-dev shellcheck lintian rpm rpmlint man-db systemd ca-certificates xz-utils
