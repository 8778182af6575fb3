#!/bin/sh
# Leaves a daemon behind: a process in a session of its own, for which nobody waits. It sleeps for $1 seconds.
# The examples use it where a real job would forget a server, a watcher or an agent.
set -e
directory=$(mktemp -d)
mkfifo "$directory/up"
setsid sh -c 'echo up >"$0"; exec sleep "$1"' "$directory/up" "$1" </dev/null >/dev/null 2>&1 &
read -r _ <"$directory/up"
rm -r "$directory"
