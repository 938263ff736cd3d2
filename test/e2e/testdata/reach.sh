#!/bin/sh
# What an agent tries first. It runs inside a bridge, as the bridge user.
#   reach.sh INSTANCE KEEPER GATE      (two pids)
# Each line of output is «shut NAME», or «OPEN NAME …» for a try that worked.
instance=$1 keeper=$2 gate=$3
said=$(mktemp)
uid=$(id -u)

try() {
    name=$1
    shift
    if "$@" >"$said" 2>&1; then
        echo "OPEN $name: $(head -c 300 "$said" | tr '\n' ' ')"
    else
        echo "shut $name: $(head -c 120 "$said" | tr "\n" " ")"
    fi
}

# Secrets, and what belongs to root and the API's account.
try config cat /etc/clauster/clauster.toml
try config-drop-ins ls /etc/clauster/clauster.toml.d
try config-write sh -c 'echo x >/etc/clauster/clauster.toml.d/evil.toml'
try state ls /var/lib/clauster
try key cat /var/lib/clauster/session_ref.key
try record cat "/var/lib/clauster/instances/$instance.json"
try record-write sh -c "echo '{}' >'/var/lib/clauster/instances/$instance.json'"
try request sh -c "echo '{}' >'/var/lib/clauster/instances/$instance.json.request'"
try sockets ls "/run/clauster/bridges/$instance"
try socket-connect attacker connect "/run/clauster/bridges/$instance/keeper.sock"
try socket-replace sh -c "rm -f '/run/clauster/bridges/$instance/keeper.sock' && false || mv '/run/clauster/bridges/$instance' /tmp/away"
try socket-beside mkdir /run/clauster/bridges/evil
try spools ls /run/clauster/spool
try spool-replace mv "/run/clauster/spool/$instance" "/run/clauster/spool/$instance.away"
try private ls /run/clauster/private
try credentials ls "/run/credentials/clauster@$instance.service"
try keeper-program cat /usr/lib/clauster/clauster-keeper
try keeper-program-write sh -c 'echo x >>/usr/lib/clauster/clauster-keeper'
try unit-write sh -c 'mkdir -p /run/systemd/system/clauster@.service.d'
try other-journals sh -c 'journalctl -q -n 1 _UID=0 -o cat | grep .'

# Systemd.
try bus busctl --system list
try bus-raw attacker connect /run/dbus/system_bus_socket
try bus-user attacker connect "/run/user/$uid/bus"
try bus-user-manager attacker connect "/run/user/$uid/systemd/private"
try bus-private attacker connect /run/systemd/private
try linger loginctl --no-ask-password enable-linger op
try stop systemctl --no-ask-password stop "clauster@$instance"
try kill systemctl --no-ask-password kill "clauster@$instance"
try freeze systemctl --no-ask-password freeze "clauster-bridge-$instance.scope"
try limits systemctl --no-ask-password set-property --runtime "clauster-bridge-$instance.scope" TasksMax=infinity
try transient systemd-run --no-ask-password true
try transient-user env "XDG_RUNTIME_DIR=/run/user/$uid" systemd-run --user true
try ctl-stop clauster-ctl stop "$instance"
try ctl-logs clauster-ctl logs "$instance"
try ctl-open clauster-ctl open "$instance"

# The control group.
own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
for to in /sys/fs/cgroup /sys/fs/cgroup/system.slice "/sys/fs/cgroup/system.slice/system-clauster.slice/clauster@$instance.service" \
    "/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service/init.scope"; do
    try "leave-to $to" sh -c "echo \$\$ >'$to/cgroup.procs'"
done
try group-freeze sh -c "echo 1 >'$own/cgroup.freeze'"
try group-kill sh -c "echo 0 >'$own/cgroup.kill'"
try group-child mkdir "$own/child"
try group-unmount unshare -Urm umount /sys/fs/cgroup

# Root.
try sudo sudo -n true
# shellcheck disable=SC2016 # the inner shell expands it
try setuid sh -c 'test "$(su -c "id -u" </dev/null)" = 0'
try setpriv setpriv --reuid 0 true
try mount mount -t tmpfs none /mnt
try unhide unshare -Urm sh -c 'umount /run/dbus && ls /run/dbus/system_bus_socket'
try init-namespaces nsenter -t 1 -m true
try kill-init kill -STOP 1
try sysctl sh -c 'echo 1 >/proc/sys/fs/inotify/max_user_instances'
try oom-shield sh -c 'echo -500 >/proc/self/oom_score_adj'
try realtime chrt -f 1 true

# Keeper and gate: what the kernel's trace check guards.
for pid in "$keeper" "$gate"; do
    for file in mem environ maps smaps auxv io syscall stack fd/0 fdinfo/0 map_files exe; do
        try "proc $pid $file" head -c 1 "/proc/$pid/$file"
    done
    for link in cwd root exe ns/mnt ns/user; do
        try "link $pid $link" readlink "/proc/$pid/$link"
    done
    try "fds $pid" ls "/proc/$pid/fd/"
    try "through $pid" ls "/proc/$pid/root/run/dbus"
    try "oom $pid" sh -c "echo 1000 >/proc/$pid/oom_score_adj"
    try "namespaces $pid" nsenter -t "$pid" -U true
done
echo "done"
