#!/bin/sh
# An agent goes for the API's files, sockets and processes. It runs inside a
# bridge, as the bridge user.
#   reachapi.sh API-PID HOME-PID PATH…
# Each line of output is «shut TRY PATH: …», or «OPEN TRY PATH: …».
said=$(mktemp)

try() {
    name=$1
    shift
    if "$@" >"$said" 2>&1; then
        echo "OPEN $name: $(head -c 300 "$said" | tr '\n' ' ')"
    else
        echo "shut $name: $(head -c 120 "$said" | tr '\n' ' ')"
    fi
}

# shellcheck disable=SC2016 # perl's own
datagram='socket(S, PF_UNIX, SOCK_DGRAM, 0); exit !defined send(S, "x", 0, pack_sockaddr_un($ARGV[0]))'

for pid in "$1" "$2"; do
    for file in mem environ maps io fd/0 exe cwd/. root/.; do
        try "process $file" head -c 1 "/proc/$pid/$file"
    done
    try "trace fds" ls "/proc/$pid/fd/"
done
try "signal api" kill -0 "$1"
shift 2
for path in "$@"; do
    if [ -S "$path" ]; then
        try "connect $path" attacker connect "$path"
        try "datagram $path" perl -MSocket -e "$datagram" "$path"
    elif [ -d "$path" ]; then
        # shellcheck disable=SC2016 # the inner shell expands it
        try "plant in $path" sh -c 'echo x >"$1/planted"' sh "$path"
        try "link in $path" ln -s /etc/passwd "$path/planted"
    fi
    [ -d "$path" ] || try "read $path" head -c 1 "$path"
    # shellcheck disable=SC2016 # the inner shell expands it
    [ -d "$path" ] || try "write $path" sh -c ': >>"$1"' sh "$path"
    try "hard link $path" ln "$path" /tmp/linked
    try "mode $path" chmod 0777 "$path"
    try "rename $path" mv -f "$path" "$path.away"
    try "remove $path" rm -r "$path"
    touch /tmp/mine
    try "replace $path" mv -fT /tmp/mine "$path"
    try "mount over $path" mount --bind /tmp "$path"
done
for path in /var/lib/clauster /var/lib/clauster/api /etc/clauster/clauster.toml.d; do
    try "list $path" ls "$path"
done
echo "done"
