#!/bin/sh
# Installs the Debian packages that test machines need, plus those named as
# arguments. Asks nothing, and costs a few milliseconds when all are there.
set -eu

packages="mmdebstrap systemd-container qemu-system-x86 e2fsprogs util-linux $*"

missing=
for p in $packages; do
    case $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null || true) in
    "install ok installed") ;;
    *) missing="$missing $p" ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "error: cannot install$missing: not root, and there is no sudo" >&2
        echo "hint: as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    }
    sudo="sudo -n"
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3"
# The lists may be absent (a fresh container) or stale (a package gone from
# the mirror): refresh once, only when something is missing at all.
$apt update </dev/null >&2
# shellcheck disable=SC2086 # the list is words by design
$apt install --no-install-recommends $missing </dev/null >&2
