#!/bin/sh
# lint.sh: every check that needs no machine. All run, then it fails if one did.
#   STATICCHECK  the pinned binary      OUT  build directory with the packages
# Tools that are missing are reported and fail too: make deps installs them.
set -eu
cd "$(dirname "$0")/.."

out=${OUT:-build}
version=${VERSION:-0.1.0}
failed=
# Not ./...: build/ holds Debian roots, and one of Debian's packages has Go files.
packages='./cmd/... ./pkg/... ./packaging/... ./test/...'

# check NAME COMMAND…: any output is a failure, whatever the exit status says.
# (systemd-analyze exits 0 on an unknown key, gofmt on an unformatted file.)
check() {
    name=$1
    shift
    if text=$("$@" 2>&1) && [ -z "$text" ]; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        printf '%s\n' "$text" | sed 's/^/      /'
        failed="$failed $name"
    fi
}

# The repository's own files: what git knows, and what it does not ignore.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do
        if [ -e "$f" ]; then echo "$f"; fi
    done
}

go_format() {
    files '*.go' | xargs gofmt -l
}

shell_scripts() {
    # By their first line; rpm's scriptlets have none.
    scripts=$(files | while read -r f; do
        if head -n 1 "$f" | grep -qE '^#!.*/(env )?(ba|da)?sh'; then echo "$f"; fi
    done)
    echo "$scripts" | xargs shellcheck
    files 'packaging/scripts/rpm.*' | xargs shellcheck -s sh
}

# stage_units ROOT MANAGER: that manager's units as installed, beside the host's
# own so that what they are ordered after can be looked up, under a root so that
# the programs they start are the ones just built. The units of the user manager
# stand in the system tree too: verify cannot do --user --root.
stage_units() {
    rm -rf "$1"
    mkdir -p "$1"
    dpkg-deb -x "$out"/packages/clauster_"$version"-*.deb "$1"
    find -L /usr/lib/systemd/system -maxdepth 1 -type f ! -name 'clauster*' \
        -exec cp -t "$1/usr/lib/systemd/system" {} +
    if [ "$2" = user ]; then
        cp "$1"/usr/lib/systemd/user/clauster* "$1/usr/lib/systemd/system"
    fi
}

# No instance with a label: verify takes what is behind a colon for an alias.
verify_units() {
    stage_units "$out/stage" "$1"
    root=$(realpath "$out/stage")
    mkdir -p "$root/bin"
    cp /bin/sh "$root/bin/" # verify looks whether what a unit runs is there
    MANPATH="$root/usr/share/man:" systemd-analyze verify --root="$root" 'clauster@hello.service' clauster.slice \
        clauster-api.service clauster-api.socket clauster-web.socket clauster-wake.socket clauster-home.service clauster-home.socket
    status=$?
    rm -rf "$root"
    return $status
}

verify_tmpfiles() {
    # tmpfiles.d names a group that sysusers.d makes: both, in an empty root.
    root=$(mktemp -d)
    mkdir -p "$root/etc"
    systemd-sysusers --root="$root" "$PWD/packaging/sysusers.conf" 2>&1 | grep -v '^Creating ' || true
    systemd-tmpfiles --root="$root" --create "$PWD/packaging/tmpfiles.conf"
    rm -rf "$root"
}

man_pages() {
    for page in "$out"/man/*.gz; do
        MANROFFSEQ='' man --warnings -E UTF-8 -l "$page" >/dev/null
    done
}

lint_deb() {
    lintian --allow-root --fail-on error,warning "$out"/packages/clauster_"$version"-*.deb
}

check gofmt go_format
# shellcheck disable=SC2086 # the lists are words by design
check 'go vet' go vet $packages
# shellcheck disable=SC2086
check staticcheck "${STATICCHECK:-build/tools/staticcheck-v0.7.0}" $packages
check shellcheck shell_scripts
check 'units (system)' verify_units system
check 'units (user)' verify_units user
check 'sysusers and tmpfiles' verify_tmpfiles
check 'man pages' man_pages
check lintian lint_deb
check rpmlint packaging/rpmlint.sh "$out"/packages/clauster-"$version"-*.rpm

echo "go test ./test/lint/..."
go test ./test/lint/... || failed="$failed rules"

if [ -n "$failed" ]; then
    echo "lint failed:$failed" >&2
    exit 1
fi
