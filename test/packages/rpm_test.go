package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"clauster/test/machine"
)

// TestRpmScriptlets installs, upgrades and erases the .rpm in a throwaway layer
// over the Debian root of the test machines: no systemd runs there, so what
// shows is that the scriptlets do their part and that none of them fails. rpm
// would read the host's own names for users; --noplugins and a private mount
// namespace keep the host out of it.
func TestRpmScriptlets(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can install a package into a root")
	}
	root, err := machine.BuildRoot(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	oldRPM := build(t, repository(t), filepath.Join(dir, "1"), "1.0.0")["rpm"]
	newRPM := build(t, repository(t), filepath.Join(dir, "2"), "1.0.1")["rpm"]
	layer := filepath.Join(dir, "layer")
	if err := os.Mkdir(layer, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-euc", rpmScript,
		"sh", root, layer, oldRPM, newRPM)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

const rpmScript = `
lower=$1 layer=$2 old=$3 new=$4
# A tmpfs: the layer below may itself be an overlay, which cannot be an upper one.
mount -t tmpfs none "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
root=$layer/root
mount -t proc none "$root/proc"
mount -t tmpfs none "$root/run"
mount --bind /dev "$root/dev"
rpm() { command rpm --root "$root" --nodeps --noplugins "$@"; }
expect() { test "$1" = "$2" || { echo "FAIL: $3: $1, want $2" >&2; exit 1; }; }
of() { chroot "$root" stat -c '%U:%G %a' "$1"; }

rpm -i "$old"
expect "$(of /etc/clauster)" 'root:clauster 750' 'configuration directory'
expect "$(of /etc/clauster/clauster.toml)" 'root:clauster 640' 'configuration'
expect "$(of /var/lib/clauster/instances)" 'clauster:clauster 2770' 'records'
expect "$(of /run/clauster/spool)" 'root:root 711' 'spool'
chroot "$root" journalctl --update-catalog
chroot "$root" journalctl --list-catalog 264633d4045d75935fcb22e7f55eee99 | grep -q crashed

echo 'user = "alice"' >"$root/etc/clauster/clauster.toml"
touch "$root/var/lib/clauster/instances/a.json"
rpm -U "$new"
expect "$(cat "$root/etc/clauster/clauster.toml")" 'user = "alice"' 'changed configuration after an upgrade'
test -e "$root/var/lib/clauster/instances/a.json"

rpm -e clauster
test ! -e "$root/usr/bin/clauster-ctl"
test ! -e "$root/usr/lib/clauster"
test -e "$root/var/lib/clauster/instances/a.json"
expect "$(cat "$root/etc/clauster/clauster.toml.rpmsave")" 'user = "alice"' 'changed configuration after an erase'
chroot "$root" getent group clauster
`
