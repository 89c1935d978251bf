# capture_replay counts the same when it replays as when it recorded.
. "$(dirname "$0")/expect.bash"

days=$(printf '%d\t%d\n' 1 3 2 3 3 3 4 3 5 2 6 3 7 4)
printf '%s\nreplayed:\n%s\n' "$days" "$days" | expect /dev/null capture_replay
