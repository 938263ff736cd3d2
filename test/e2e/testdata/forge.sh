#!/bin/sh
# What an agent says in its keeper's name. It runs inside a bridge.
#   forge.sh INSTANCE GHOST      (GHOST has never been started)
instance=$1 ghost=$2
esc=$(printf '\033')

# To systemd: nobody but the main process is heard.
for words in READY=1 "STATUS=forged by an agent" STOPPING=1 "MAINPID=$$" RELOADING=1 WATCHDOG=trigger ERRNO=5 "EXTEND_TIMEOUT_USEC=900000000" "FDSTOREREMOVE=1
FDNAME=state"; do
    NOTIFY_SOCKET=/run/systemd/notify systemd-notify "$words"
done

# To the journal: every field but journald's own is the writer's word.
event() {
    id=$1
    shift
    attacker journal "MESSAGE=forged ${esc}[2J${esc}]0;forged$(printf '\007') event" "MESSAGE_ID=$id" CLAUSTER_SCHEMA=1 "CLAUSTER_EVENT_ID=018bcfe5-687b-7fff-bfff-ffffffffffff" \
        SYSLOG_IDENTIFIER=clauster-keeper PRIORITY=3 "CLAUSTER_REASON=forged ${esc}[31mreason" CLAUSTER_RUN=00000000000000000000000000000001 \
        "UNIT=clauster@$instance.service" "OBJECT_SYSTEMD_UNIT=clauster@$instance.service" "_SYSTEMD_UNIT=clauster@$instance.service" \
        "COREDUMP_UNIT=clauster@$instance.service" "$@"
}
for name in $instance $ghost; do
    event "$STOP_ID" CLAUSTER_EVENT=stop CLAUSTER_STATUS=stopped "CLAUSTER_INSTANCE=$name" "CLAUSTER_PROJECT=$name"
    event "$CRASH_ID" CLAUSTER_EVENT=crash CLAUSTER_STATUS=crashed "CLAUSTER_INSTANCE=$name" "CLAUSTER_PROJECT=$name"
    event "$REQUESTED_ID" CLAUSTER_EVENT=requested CLAUSTER_VERB=stop CLAUSTER_ACTOR_UID=0 CLAUSTER_ACTOR_LOGIN=root "CLAUSTER_INSTANCE=$name"
done
echo "forged ${esc}[31mline" | systemd-cat -t clauster-keeper
logger -t clauster-keeper "forged ${esc}[31mline"

# To its own terminal and debug file, which the keeper reads.
printf 'forged \033]0;title\007\033[2J\033[31m\233m\n' >/dev/tty
for file in "/run/clauster/spool/$instance"/debug-*.log; do
    printf '2026-11-22T00:00:00.000Z [ERROR] forged \033[2J\033]52;c;Zm9yZ2Vk\007 line \302\233m \r\b\n' >>"$file"
done
echo "done"
